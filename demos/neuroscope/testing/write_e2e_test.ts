import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningApp, ready, seriousViolations, startApp } from "./app.ts";

let app: RunningApp | undefined;
beforeAll(async () => {
  app = await startApp("the Write page in Chromium");
});
afterAll(() => app?.close());

/** Waits until everything that was asked for is written. */
async function written(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    (expected) =>
      document.querySelector(".ink-canvas")?.getAttribute("aria-label")?.startsWith(`Handwriting: ${expected}.`) &&
      document.querySelectorAll(".rewrite").length === expected.split(" ").length,
    text,
    { timeout: 60_000 },
  );
}

/** How many pixels of the paper hold ink. */
function inkPixels(page: Page): Promise<number> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>(".ink-canvas")!;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    return new Uint32Array(data.buffer).reduce((count, pixel) => count + (pixel === 0 ? 0 : 1), 0);
  });
}

async function save(page: Page, kind: "SVG" | "PNG" | "JSON"): Promise<{ name: string; content: Buffer }> {
  await page.getByText("Save as").click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: kind }).click()]);
  return { name: download.suggestedFilename(), content: readFileSync(await download.path()) };
}

interface InkJson {
  readonly writings: readonly { readonly text: string; readonly tokens: readonly number[]; readonly ended: boolean }[];
}

async function tokensOf(page: Page): Promise<string[]> {
  const { writings } = JSON.parse((await save(page, "JSON")).content.toString()) as InkJson;
  return writings.map(({ tokens }) => tokens.join());
}

const scrubber = (page: Page) => page.getByRole("slider", { name: "Pen movement" });

describe("the Write page in Chromium", () => {
  it("opens with a pen that moves, says what it loads, and writes by itself", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("");
    await page.waitForFunction(() => Number(document.querySelector<HTMLInputElement>("[aria-label='Pen movement']")?.value) > 3);
    expect(await inkPixels(page)).toBeGreaterThan(100);
    const stages = await page.evaluate(() => document.querySelector(".stages")?.textContent);
    expect(stages ?? "none any more").toMatch(/GPU.*model.*autoencoder.*shaders|none any more/);
    await ready(page);
    await written(page, "watch me write");
    expect(await page.locator(".write-status").textContent()).toMatch(/\d+ tokens a second, the first after \d/);
    await page.waitForFunction(() => document.querySelector(".write-transport output")?.textContent?.match(/^(\d+) \/ \1$/), undefined, {
      timeout: 30_000,
    });
    expect(await page.locator("header").textContent()).toContain("software WebGPU");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("has the pen move within two seconds of loading, and plays no recording of another text", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/diagnostics");
    await page.addInitScript(() => {
      const look = (): void => {
        const at = Number(document.querySelector<HTMLInputElement>("[aria-label='Pen movement']")?.value);
        if (at > 0) document.documentElement.dataset.movedAfter = String(performance.now());
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    let least = Number.POSITIVE_INFINITY; // of up to three times: whatever else the machine does only adds
    for (let i = 0; i < 3 && least >= 2000; i++) {
      await page.goto(`${app.url}?pen=${i}`);
      await page.waitForSelector("[data-moved-after]", { state: "attached" });
      least = Math.min(least, Number(await page.locator("html").getAttribute("data-moved-after")));
    }
    expect(least).toBeLessThan(2000);
    await page.goto(`${app.url}?other#/write?text=ink`);
    await ready(page);
    expect(await page.getByText("A recording of this model").count()).toBe(0);
    await page.context().close();
  });

  it("spends little of a frame on each movement that is scrubbed to", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/write?text=letters minute quartz joy", { reducedMotion: "reduce" });
    await ready(page);
    await written(page, "letters minute quartz joy");
    const scrub = async (slider: HTMLInputElement): Promise<number> => {
      const { port1, port2 } = new MessageChannel();
      /** When everything that waits is done. */
      const settled = (): Promise<number> =>
        new Promise((resolve) => {
          port1.onmessage = () => resolve(performance.now());
          port2.postMessage(0);
        });
      const spent: number[] = [];
      for (let at = 20; at < 140; at++) {
        await new Promise(requestAnimationFrame);
        await settled();
        const began = performance.now();
        slider.value = String(at);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        spent.push((await settled()) - began);
      }
      return spent.sort((a, b) => a - b)[spent.length >> 1]!;
    };
    let median = Number.POSITIVE_INFINITY; // the least of up to three
    for (let i = 0; i < 3 && median >= 8; i++) median = Math.min(median, await scrubber(page).evaluate(scrub));
    // Half of a frame of a sixtieth of a second: the rest is the browser's.
    expect(median).toBeLessThan(8);
    await page.waitForFunction(() => /at=139/.test(location.hash));
    await page.context().close();
  });

  it("closes menus with Escape and a click elsewhere", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/write?text=pen", { reducedMotion: "reduce" });
    await ready(page);
    await written(page, "pen");
    const menus = page.locator("details.menu");
    const open = (): Promise<number> => page.locator("details.menu[open]").count();
    for (let i = 0; i < 2; i++) {
      const summary = menus.nth(i).locator("summary");
      await summary.click();
      expect(await open()).toBe(1);
      await page.keyboard.press("Escape");
      expect(await open()).toBe(0);
      expect(await summary.evaluate((element) => element === document.activeElement)).toBe(true);
      await summary.click();
      await page.locator("h2", { hasText: "What comes next" }).click();
      expect(await open()).toBe(0);
    }
    await page.context().close();
  });

  it("writes what is typed, word by word, and tells what it cannot", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/write", { reducedMotion: "reduce" });
    await ready(page);
    await page.getByLabel("Text to write").fill("Two péns 9");
    expect(await page.locator(".backdrop mark").allTextContents()).toEqual(["T", "é", "9"]);
    expect(await page.locator("#write-notes").textContent()).toBe(
      "This model has small letters only: T is written small. é is written as e. 9 is left out: this model does not have it.",
    );
    await page.getByRole("button", { name: "Write", exact: true }).click();
    await written(page, "two pens");
    await page.waitForFunction(() => location.hash.includes("text=Two"));
    const [first] = await tokensOf(page);

    // A word that is added leaves the one before as it is.
    await page.getByLabel("Text to write").fill("two more");
    await page.keyboard.press("Enter");
    await written(page, "two more");
    expect((await tokensOf(page))[0]).toBe(first);
    await page.goBack();
    await written(page, "two pens");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("writes again what was stopped, and an empty text as nothing", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/write?text=pen", { reducedMotion: "reduce" });
    await ready(page);
    await written(page, "pen");
    const long = "letters minute quartz joy ink wave hello paper write again under river stone light";
    await page.getByLabel("Text to write").fill(long);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Stop" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Write", exact: true }).waitFor();
    expect(await page.locator(".rewrite").count()).toBe(0);
    await page.getByRole("button", { name: "Write", exact: true }).click();
    await written(page, long);
    await page.getByLabel("Text to write").fill("");
    await page.keyboard.press("Enter");
    await page.getByRole("img", { name: "Nothing is written." }).waitFor();
    expect(await page.getByLabel("Text to write").inputValue()).toBe("");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("scrubs by keyboard, and tells what the model expected at each movement", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/write?text=pen ink", { reducedMotion: "reduce" });
    await ready(page);
    await written(page, "pen ink");
    const total = Number(await scrubber(page).getAttribute("max"));
    await page.waitForFunction(
      (all) => document.querySelector<HTMLInputElement>("[aria-label='Pen movement']")?.value === String(all),
      total,
    );
    await page.locator("#content").focus();
    const whole = await inkPixels(page);
    await page.keyboard.press("Shift+ArrowLeft");
    const half = Number(await scrubber(page).inputValue());
    expect(await scrubber(page).getAttribute("aria-valuetext")).toBe(`${half} of ${total}, movement 0 of “ink”`);
    expect(await page.locator(".next-panel").textContent()).toMatch(/“pen” ends here: the end had \d/);
    await page.keyboard.press("ArrowRight");
    expect(await scrubber(page).inputValue()).toBe(String(half + 1));
    const rose = page.getByRole("img", { name: /^Next direction/ });
    const summaries = new Set<string | null>();
    for (let i = 0; i < 5; i++) {
      summaries.add(await rose.getAttribute("aria-label"));
      expect(await page.getByRole("img", { name: /^Next length: pen down/ }).count()).toBe(1);
      await page.keyboard.press("ArrowRight");
    }
    expect(summaries.size).toBeGreaterThan(2);
    expect(await inkPixels(page)).toBeLessThan(whole);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("writes a word again, and a link restores every word as it was", async (context) => {
    if (!app) return context.skip();
    const view = { reducedMotion: "reduce" } as const;
    const { page, complaints } = await app.open("#/write?text=a new pen&seed=5&temperature=0.8", view);
    await ready(page);
    await written(page, "a new pen");
    const before = await tokensOf(page);
    await page.getByRole("button", { name: "Write “new” again" }).click();
    await page.waitForFunction(() => location.hash.includes("again=1%3A1"));
    await written(page, "a new pen");
    const after = await tokensOf(page);
    expect([after[0], after[2]]).toEqual([before[0], before[2]]);
    expect(after[1]).not.toBe(before[1]);
    await page.getByLabel("Slant").fill("20");
    await page.locator("#content").focus();
    await page.keyboard.press("Shift+ArrowLeft");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("h");
    await page.getByText("24 other ends of “pen”").waitFor({ timeout: 60_000 });
    await page.waitForFunction(() => /slant=20.*at=\d+.*ends=1/.test(location.hash));

    const other = await app.open(new URL(page.url()).hash, view);
    await ready(other.page);
    await written(other.page, "a new pen");
    expect(await tokensOf(other.page)).toEqual(after);
    await other.page.getByText("24 other ends of “pen”").waitFor({ timeout: 60_000 });
    expect(await scrubber(other.page).inputValue()).toBe(await scrubber(page).inputValue());
    expect(await other.page.getByLabel("Slant").inputValue()).toBe("20");
    expect([...complaints, ...other.complaints]).toEqual([]);
    await other.context.close();
    await page.context().close();
  });

  it("saves pictures and data, draws other ends, and writes without the text", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/write?text=joy", { reducedMotion: "reduce" });
    await ready(page);
    await written(page, "joy");
    const svg = await save(page, "SVG");
    expect([svg.name, svg.content.toString()]).toEqual(["joy.svg", expect.stringMatching(/^<svg [\s\S]*<title>joy<\/title>[\s\S]*<path /)]);
    const png = await save(page, "PNG");
    expect([png.name, png.content.subarray(1, 4).toString()]).toEqual(["joy.png", "PNG"]);
    const json = JSON.parse((await save(page, "JSON")).content.toString());
    expect(json).toMatchObject({
      format: "cursive-ink",
      model: { run: "demo", checkpoint: "model.safetensors" },
      writings: [{ text: "joy", ended: true }],
    });

    await page.locator("#content").focus();
    await page.keyboard.press("h");
    await page.getByText("24 other ends of “joy”").waitFor({ timeout: 60_000 });
    await page.keyboard.press("Escape");
    await page.locator(".write-status", { hasText: "other ends" }).waitFor({ state: "detached" });

    await page.getByLabel("Hide the text from the model").check();
    await page.waitForFunction(() => location.hash.includes("off=1"));
    await written(page, "joy");
    expect((await tokensOf(page))[0]).not.toBe(json.writings[0].tokens.join());
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("opens a model of one's own, and refuses other files with the reason", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/write?text=pen", { reducedMotion: "reduce" });
    await ready(page);
    await written(page, "pen");
    await page.locator("summary.chip").click();
    const file = page.getByLabel("A checkpoint's file");
    await file.setInputFiles({ name: "poem.safetensors", mimeType: "", buffer: Buffer.from("not a file of tensors at all") });
    await page
      .getByText(/poem.safetensors was not opened. Expected a safetensors file but found/)
      .first()
      .waitFor();
    await file.setInputFiles({
      name: "mine.safetensors",
      mimeType: "",
      buffer: readFileSync(join(app.folder, "assets/model.safetensors")),
    });
    await page.getByText("mine.safetensors is open. It stays in this tab.").first().waitFor();
    await written(page, "pen");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("has no serious fault for assistive technology, and fits a phone, in light and in dark", async (context) => {
    if (!app) return context.skip();
    for (const view of [{ width: 1280 }, { width: 360, colorScheme: "dark" as const }]) {
      const { page, complaints } = await app.open("#/write?text=Pen 9", { ...view, reducedMotion: "reduce" });
      await ready(page);
      await written(page, "pen");
      expect(await seriousViolations(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth)).toBe(true);
      await page.keyboard.press("?");
      await page.getByRole("dialog").getByText("What else it could have written").waitFor();
      expect(await seriousViolations(page)).toEqual([]);
      expect(complaints).toEqual([]);
      await page.context().close();
    }
  });
});
