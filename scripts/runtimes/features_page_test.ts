import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { featurePage } from "../../packages/cli/features/page_bundle.ts";
import { type TemporaryFolder, temporaryFolder } from "../../packages/cli/testing/mini.ts";
import { type FeatureOverview, featureFiles, formatFeatureFile } from "../../packages/sae/dashboard/mod.ts";
import { madeFeatures } from "../../packages/sae/dashboard/testing/made_features.ts";
import { findChromium, launchChromium } from "./chromium.mjs";
import { sayThatSkipped } from "./tool.mjs";

const bad = `</script><img src=x onerror=alert(1)>`;
const FEATURES = 90;
const WORDS = 10;

let folder: TemporaryFolder;
let browser: Browser | undefined;
let overview: FeatureOverview;
beforeAll(async () => {
  folder = temporaryFolder();
  try {
    browser = await launchChromium(await findChromium(process.env, { download: process.env.CURSIVE_NO_DOWNLOAD === undefined }));
  } catch (error) {
    sayThatSkipped("the features in Chromium", error);
    return;
  }
  const source = madeFeatures({ features: FEATURES, words: WORDS, label: bad });
  overview = await source.overview();
  mkdirSync(join(folder.path, "data"));
  const put = (file: string, value: unknown): void => writeFileSync(join(folder.path, "data", file), formatFeatureFile(file, value));
  put(featureFiles.overview, overview);
  for (const { index } of overview.features) put(featureFiles.page(index), await source.page(index));
  put(featureFiles.sequences(0), await Promise.all(Array.from({ length: WORDS }, (_, number) => source.sequence(number))));
  writeFileSync(join(folder.path, "index.html"), await featurePage());
});
afterAll(async () => {
  await browser?.close();
  folder[Symbol.dispose]();
});

/** Opens the folder's page from the disk, and listens for everything that should not happen. */
async function open(
  hash = "",
  { width = 1280, colorScheme = "light" }: { width?: number; colorScheme?: "light" | "dark" } = {},
): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser!.newPage({ viewport: { width, height: 900 }, colorScheme });
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) complaints.push(`asked for ${request.url()}`);
  });
  page.on("dialog", (dialog) => complaints.push(`said ${dialog.message()}`));
  await page.goto(pathToFileURL(join(folder.path, "index.html")).href + hash);
  await page.waitForSelector(".fv-row", { state: "attached" }); // on a phone the list goes when a page comes
  return { page, complaints };
}

/** What axe finds that is serious or worse. */
async function seriousViolations(page: Page): Promise<string[]> {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof import("axe-core") }).axe.run(document);
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
  });
}

describe("the folder of features in Chromium", () => {
  it("shows the list and a page, in light and in dark, on a wide screen and on a phone, without serious violations, and asks for nothing", async (context) => {
    if (!browser) return context.skip();
    for (const view of [{ width: 1280 }, { width: 360 }, { width: 1280, colorScheme: "dark" }] satisfies Parameters<typeof open>[1][]) {
      const isFirst = !("colorScheme" in view) && view.width === 1280;
      for (const hash of ["", "#/2", ...(isFirst ? ["#/5", "#/3?form=table"] : [])]) {
        const { page, complaints } = await open(hash, view);
        await page.waitForSelector(hash === "" ? ".fv-gallery .fv-card" : hash === "#/2" ? ".fv-card .fv-ring" : ".fv-panel");
        expect(await seriousViolations(page)).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(view.width);
        expect(complaints).toEqual([]);
        await page.close();
      }
    }
  });

  it("reaches every feature by scrolling and by keyboard, with few lines at a time", async (context) => {
    if (!browser) return context.skip();
    const { page, complaints } = await open();
    const seen = new Set<string>();
    const lines = (): Promise<string[]> => page.locator(".fv-row:not(.fv-head)").evaluateAll((rows) => rows.map(({ id }) => id));
    for (let top = 0; top < FEATURES * 52; top += 200) {
      await page.locator(".fv-body").evaluate((body, to) => body.scrollTo(0, to), top);
      await page.waitForFunction((to) => {
        const body = document.querySelector(".fv-body")!;
        const rows = [...body.querySelectorAll(".fv-row:not(.fv-head)")].map((row) => row.getBoundingClientRect());
        const [seen, all] = [body.getBoundingClientRect(), body.querySelector(".fv-rows")!.getBoundingClientRect()];
        const isThere = Math.abs(body.scrollTop - Math.min(to, body.scrollHeight - body.clientHeight)) < 2;
        const above = Math.min(...rows.map(({ top }) => top)) <= Math.max(seen.top, all.top) + 1;
        const below = Math.max(...rows.map(({ bottom }) => bottom)) >= Math.min(seen.bottom, all.bottom) - 1;
        return isThere && above && below;
      }, top);
      const there = await lines();
      expect(there.length).toBeLessThan(40);
      for (const id of there) seen.add(id);
    }
    expect(seen.size).toBe(FEATURES);
    const grid = page.getByRole("grid", { name: "Features" });
    await grid.press("End");
    const last = await grid.getAttribute("aria-activedescendant");
    await grid.press("Home");
    await grid.press("j");
    await grid.press("ArrowDown");
    await grid.press("k");
    const second = await grid.getAttribute("aria-activedescendant");
    expect(new Set([last, second]).size).toBe(2);
    await grid.press("Enter");
    await page.waitForSelector(".fv-card");
    expect(new URL(page.url()).hash).toBe(`#/${second!.replace("fv-row-", "")}`);
    await page.keyboard.press("Escape");
    await page.waitForSelector(".fv-gallery");
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("searches, brushes densities by pointer and by keyboard, and keeps it in the address", async (context) => {
    if (!browser) return context.skip();
    const { page, complaints } = await open();
    const count = page.locator(".fv-count");
    await page.keyboard.press("/");
    await page.keyboard.type("67");
    await page.locator(".fv-count", { hasText: `of ${FEATURES} features` }).waitFor();
    await page.waitForSelector("#fv-row-67");
    expect(new URL(page.url()).hash).toBe("#/?q=67");
    await page.getByRole("button", { name: "Clear filters" }).click();

    const least = page.getByRole("slider", { name: "least density" });
    await least.focus();
    const { edges, counts } = overview.densities;
    for (let step = 0; step < edges.length - 3; step++) await least.press("ArrowRight");
    const kept = counts.slice(edges.length - 3).reduce((a, b) => a + b, 0);
    expect(await count.textContent()).toContain(`${kept} of ${FEATURES} features`);
    await least.press("Escape");
    expect(await count.textContent()).toContain(`${FEATURES} features`);
    const ground = (await page.locator(".fv-brush-ground").boundingBox())!;
    const bin = ground.width / counts.length;
    await page.mouse.move(ground.x + 1.5 * bin, ground.y + 30);
    await page.mouse.down();
    await page.mouse.move(ground.x + ground.width - 2.5 * bin, ground.y + 30, { steps: 3 });
    await page.mouse.up();
    const middle = counts.slice(1, -2).reduce((a, b) => a + b, 0);
    expect(await count.textContent()).toContain(`${middle} of ${FEATURES} features`);

    const hash = new URL(page.url()).hash;
    expect(hash).toContain("density=");
    const again = await open(hash);
    expect(await again.page.locator(".fv-count").textContent()).toContain(`${middle} of ${FEATURES} features`);
    await page.getByRole("searchbox").fill("nothing has this");
    await page.getByText("No features match.").waitFor();
    expect([...complaints, ...again.complaints]).toEqual([]);
    await page.close();
    await again.page.close();
  });

  it("tells what tokens mean at the pointer and by keyboard, follows links to relatives, and goes back", async (context) => {
    if (!browser) return context.skip();
    const { page, complaints } = await open("#/2");
    const card = page.getByRole("slider", { name: /^“/ }).first();
    await card.focus();
    await card.press("Home");
    const [first, second] = [
      await card.getAttribute("aria-valuetext"),
      await card.press("ArrowRight").then(() => card.getAttribute("aria-valuetext")),
    ];
    expect(first).toMatch(/direction \d+°, .*: [\d.]+ · length [\d.]+, pen (up|down): [\d.]+/);
    expect(second).not.toBe(first);
    const box = (await card.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.waitForSelector(".fv-highlight");
    const link = page.locator(".fv-bar-table a").first();
    const href = await link.getAttribute("href");
    await link.click();
    await page.waitForFunction((to) => location.hash === to, href);
    await page.getByRole("article", { name: `Feature ${href!.slice(2)}` }).waitFor();
    await page.goBack();
    await page.getByRole("article", { name: "Feature 2" }).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("takes labels as text, keeps those of one's own, and gives them out", async (context) => {
    if (!browser) return context.skip();
    const { page, complaints } = await open("#/0");
    expect(await page.getByRole("heading", { level: 2 }).textContent()).toBe(bad);
    await page.getByRole("button", { name: "Edit label" }).click();
    await page.getByRole("textbox", { name: "label of feature 0" }).fill("quick strokes <b>");
    await page.keyboard.press("Enter");
    expect(await page.getByRole("heading", { level: 2 }).textContent()).toBe("quick strokes <b>");
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export 1 label" }).click();
    expect(JSON.parse(readFileSync(await (await download).path(), "utf8"))).toEqual({ 0: "quick strokes <b>" });
    await page.reload();
    await page.getByRole("heading", { name: "quick strokes <b>" }).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("says what is missing", async (context) => {
    if (!browser) return context.skip();
    const { page } = await open("#/12345");
    await page.getByText(`There is no page of feature 12345; there are pages of ${FEATURES} features.`).waitFor();
    await page.close();
  });
});
