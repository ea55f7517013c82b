import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRunForReport } from "../../packages/cli/report/read_run.ts";
import { writeReport } from "../../packages/cli/report/write_report.ts";
import { listRuns } from "../../packages/cli/run/find_run.ts";
import { readSaeRun } from "../../packages/cli/sae/report/read_sae_run.ts";
import { writeSaeReport } from "../../packages/cli/sae/report/write_sae_report.ts";
import { madeRun } from "../../packages/cli/testing/made_run.ts";
import { madeSaeRun } from "../../packages/cli/testing/made_sae_run.ts";
import { type TemporaryFolder, temporaryFolder } from "../../packages/cli/testing/mini.ts";
import { findChromium, launchChromium } from "./chromium.mjs";
import { sayThatSkipped } from "./tool.mjs";

let folder: TemporaryFolder;
let browser: Browser | undefined;
beforeAll(async () => {
  folder = temporaryFolder();
  try {
    browser = await launchChromium(await findChromium(process.env, { download: process.env.CURSIVE_NO_DOWNLOAD === undefined }));
  } catch (error) {
    sayThatSkipped("the report in Chromium", error);
  }
});
afterAll(async () => {
  await browser?.close();
  folder[Symbol.dispose]();
});

/** Opens a report of some runs from the disk, and listens for everything that should not happen. */
async function open(
  names: readonly string[],
  view: { width: number; colorScheme?: "light" | "dark" },
): Promise<{ page: Page; complaints: string[] }> {
  const entries = (await listRuns(folder.path)).filter(({ name }) => names.includes(name));
  const path = join(folder.path, `${names.join("+")}.html`);
  await writeReport(path, await Promise.all(entries.map(readRunForReport)));
  // Without a locale the browser may name a language of the system's that it does not know itself.
  const page = await browser!.newPage({
    viewport: { width: view.width, height: 900 },
    colorScheme: view.colorScheme ?? "light",
  });
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) complaints.push(`asked for ${request.url()}`);
  });
  page.on("dialog", (dialog) => complaints.push(`said ${dialog.message()}`));
  await page.goto(pathToFileURL(path).href);
  await page.waitForSelector(".words img");
  return { page, complaints };
}

/** How many different colours a chart's canvas has: an empty one has few. */
function colours(page: Page, chart: string): Promise<number> {
  return page.evaluate((id) => {
    const canvas = document.querySelector<HTMLCanvasElement>(`[data-chart="${id}"] canvas`)!;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  }, chart);
}

const bad = `</script><img src=x onerror=alert(1)>`;

describe("a report in Chromium", () => {
  it("draws every chart and the words, in light and in dark, on a wide screen and on a phone, and asks for nothing", async (context) => {
    if (!browser) return context.skip();
    madeRun(folder.path, { name: "made-001", steps: 40 });
    for (const view of [{ width: 1280 }, { width: 360 }, { width: 1280, colorScheme: "dark" as const }]) {
      const { page, complaints } = await open(["made-001"], view);
      for (const chart of ["loss", "lr", "tokens", "milliseconds"]) expect(await colours(page, chart)).toBeGreaterThan(20);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(view.width);
      expect(
        await page.locator(".words img").evaluateAll((images) => images.every((image) => (image as HTMLImageElement).naturalWidth > 0)),
      ).toBe(true);
      expect(complaints).toEqual([]);
      await page.close();
    }
  });

  it("goes through the samples by keyboard and by itself", async (context) => {
    if (!browser) return context.skip();
    madeRun(folder.path, { name: "made-002", steps: 40, captions: ["at", bad] });
    const { page, complaints } = await open(["made-002"], { width: 1280 });
    const slider = page.getByRole("slider", { name: "step of the samples" });
    expect(await slider.getAttribute("aria-valuetext")).toBe("step 40");
    const drawn = (): Promise<string | null> => page.locator(".words img").first().getAttribute("src");
    const last = await drawn();
    await slider.press("ArrowLeft");
    expect(await slider.getAttribute("aria-valuetext")).toBe("step 35");
    expect(await drawn()).not.toBe(last);
    await slider.press("Home");
    expect(await page.locator(".player output").textContent()).toBe("step 5");
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => document.querySelector(".player output")!.textContent !== "step 5");
    await page.getByRole("button", { name: "Pause" }).click();
    expect(await page.locator(".word-text").nth(1).textContent()).toBe(bad);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("tells values at the pointer and by keyboard, zooms, and shows other axes", async (context) => {
    if (!browser) return context.skip();
    madeRun(folder.path, { name: "made-003", steps: 40 });
    const other = madeRun(folder.path, { name: "made-004", steps: 60, values: { "training.lr": 0.1 } });
    appendFileSync(join(other, "metrics.jsonl"), '{"step":61,"loss":null,"lr":0.1,"milliseconds":3,"tokensPerSecond":1}\n');
    const { page, complaints } = await open(["made-003", "made-004"], { width: 1280 });
    const chart = page.locator("[data-chart=loss]");
    await chart.evaluate((element) => element.scrollIntoView());
    const box = (await chart.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 100);
    await chart.locator(".tooltip").waitFor({ state: "visible" });
    const told = await chart.locator(".tooltip div").allTextContents();
    expect(told.slice(0, 3)).toEqual(
      [/^step\d+$/, /^made-003 training[\d.]+$/, /^made-003 test( at \d+)?[\d.]+$/].map((text) => expect.stringMatching(text)),
    );
    expect(told).toHaveLength(7);
    expect(await page.locator("[data-chart=lr] .tooltip").isVisible()).toBe(false);
    await page.mouse.move(0, 0);

    await chart.press("Home");
    expect(await page.locator("#announcer").textContent()).toMatch(/^step 1, made-003 training [\d.]+, /);
    await chart.press("End");
    expect(await page.locator("#announcer").textContent()).toMatch(/^step 61, /);
    const all = page.getByRole("button", { name: "Show all" });
    expect(await all.isDisabled()).toBe(true);
    await chart.press("+");
    expect(await all.isEnabled()).toBe(true);
    await chart.press("0");
    expect(await all.isDisabled()).toBe(true);
    await page.mouse.move(box.x + 200, box.y + 100);
    await page.mouse.down();
    await page.mouse.move(box.x + 500, box.y + 120, { steps: 4 });
    await page.mouse.up();
    expect(await all.isEnabled()).toBe(true);
    await all.click();

    for (const label of ["time", "tokens"]) {
      await page.getByRole("radio", { name: label }).check();
      await page.getByLabel("loss", { exact: true }).setChecked(label === "time");
      expect(await colours(page, "loss")).toBeGreaterThan(20);
    }
    await page.getByLabel("show made-004").uncheck();
    await chart.press("Home");
    expect(await page.locator("#announcer").textContent()).toMatch(/^tokens 32, made-003 training/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("draws the curves of autoencoders, of those that are to be seen", async (context) => {
    if (!browser) return context.skip();
    const path = madeSaeRun(folder.path, { name: "grid-006", steps: 40, grid: ["sae.k=2,4"] });
    const entry = { name: "grid-006", path, number: 6 };
    await writeSaeReport(join(path, "report.html"), await readSaeRun(entry));
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme });
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => complaints.push(message.text()));
      await page.goto(pathToFileURL(join(path, "report.html")).href);
      const charts = ["loss", "metrics/explained_variance", "metrics/l0", "sparsity/dead_features", "milliseconds"];
      for (const chart of charts) expect(await colours(page, chart)).toBeGreaterThan(20);
      const told = async (): Promise<string | null> => {
        await page.locator('[data-chart="metrics/l0"]').press("Home");
        return page.locator("#announcer").textContent();
      };
      expect(await told()).toMatch(/k-2 L0 8\.0+, k-4 L0 7/);
      await page.getByRole("checkbox", { name: "show k-2" }).uncheck();
      expect(await told()).toMatch(/^(?!.*k-2).*k-4 L0 7/);
      await page.getByRole("radio", { name: "rows" }).check();
      expect(await page.locator("[data-axis]").first().textContent()).toBe("rows");
      expect(complaints).toEqual([]);
      await page.close();
    }
  });
});
