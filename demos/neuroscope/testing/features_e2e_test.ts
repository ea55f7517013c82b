import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningApp, ready, seriousViolations, startApp } from "./app.ts";

let app: RunningApp | undefined;
beforeAll(async () => {
  app = await startApp("the features page in Chromium");
}, 240_000);
afterAll(() => app?.close());

/** What the picture of some ink is made of. */
const paths = (selector: string): string => `${selector} .ink-stage .base`;

describe("the features page", () => {
  it("lists features, finds them by their label, filters them by density, and opens one", { timeout: 240_000 }, async (context) => {
    if (!app) return context.skip();
    const { page, complaints, context: tab } = await app.open("#/features");
    const lines = page.locator(".fv-row");
    await lines.first().waitFor({ timeout: 60_000 });
    expect(await page.locator("body").textContent()).toContain("256 features");

    await page.getByRole("searchbox").first().fill("letter a");
    await page.waitForFunction(() => /q=letter/.test(location.hash), undefined, { timeout: 30_000 });
    expect(await page.locator(".fv").first().textContent()).toMatch(/\d+ of 256/);
    await page.getByRole("searchbox").first().fill("");

    const ground = (await page.locator(".fv-brush-ground").boundingBox())!;
    const at = (share: number): [number, number] => [ground.x + share * ground.width, ground.y + ground.height / 2];
    await page.mouse.move(...at(0.75));
    await page.mouse.down();
    await page.mouse.move(...at(0.99), { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction(() => /density=/.test(location.hash), undefined, { timeout: 30_000 });
    const filtered = page.locator(".fv-count", { hasText: "of 256 features" });
    const left = Number.parseInt((await filtered.textContent())!, 10);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(60);
    const densities = (await page.locator(".fv-row .fv-cell-density").allTextContents()).map(Number.parseFloat);
    expect(densities.length).toBeGreaterThan(0);
    expect(Math.min(...densities)).toBeGreaterThanOrEqual(1); // percent
    const low = page.getByRole("slider", { name: "least density" });
    await low.focus();
    for (let i = 0; i < 2; i++) await low.press("ArrowRight");
    await expect.poll(async () => Number.parseInt((await page.locator(".fv-count").textContent())!, 10)).toBeLessThan(left);
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole("button", { name: "All densities" }).click();

    // The list as it is shown: its third line opens the page that it is of.
    const third = lines.nth(2);
    const index = (await third.locator(".fv-cell-index").textContent())!.trim();
    await third.click();
    await page.locator(".fv-main").getByText(`Feature ${index}`).first().waitFor({ timeout: 60_000 });
    await page.waitForFunction((wanted) => location.hash.startsWith(`#/features/${wanted}`), index);

    await page.evaluate(() => {
      location.hash = "#/features/18";
    });
    await page.locator(".fv-main").getByText("Feature 18").first().waitFor({ timeout: 60_000 });
    await page.locator(".fv-main svg").first().waitFor({ timeout: 60_000 });
    expect(await seriousViolations(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await tab.close();
  });

  it("colours ink by features: the model's, pinned and alone, and ink that is drawn with the mouse", {
    timeout: 300_000,
  }, async (context) => {
    if (!app) return context.skip();
    const { page, complaints, context: tab } = await app.open("#/features/scope?text=ink&seed=3");
    await ready(page);
    const ranked = page.locator(".ranked li");
    await ranked.first().waitFor({ timeout: 120_000 });
    expect(await page.locator(".ink-stage .painted").count()).toBeGreaterThan(0);

    const pins = page.locator(".ranked .pin");
    for (const at of [0, 1, 2]) await pins.nth(at).click();
    await page.waitForFunction(() => /pins=\d+%2C\d+%2C\d+/.test(location.hash), undefined, { timeout: 30_000 });
    expect(await pins.nth(3).isDisabled()).toBe(true);
    expect(await page.locator(".strip").count()).toBe(4);

    const stroke = await page.locator(".ink-stage .painted").first().boundingBox();
    await page.mouse.click(stroke!.x + stroke!.width / 2, stroke!.y + stroke!.height / 2);
    await page.waitForFunction(() => /seg=\d+/.test(location.hash), undefined, { timeout: 30_000 });
    expect(await page.locator(".readout").textContent()).toMatch(/^Segment \d+: .*pen/);
    await page.locator("#scope-scrub").fill("4");
    await page.getByRole("heading", { name: "Features on segment 4" }).waitFor();
    await page.getByText("loss", { exact: true }).click();
    await page.getByText("Rise of the loss without the feature").waitFor({ timeout: 120_000 });
    await page.waitForFunction(() => /^[+−]?\d/.test(document.querySelector(".ranked-score")?.textContent ?? ""), undefined, {
      timeout: 120_000,
    });
    await page.getByText("As a table").click();
    expect(await page.locator(".segment-table tbody tr").count()).toBeGreaterThan(10);
    // What scrolls keeps the keys that scroll it.
    const table = page.locator(".table-scroll");
    await table.focus();
    await table.evaluate((element) => {
      element.style.width = "120px";
    });
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => table.evaluate((element) => element.scrollLeft)).toBeGreaterThan(0);
    await page.getByRole("heading", { name: "Features on segment 4" }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);

    await page.getByText("Draw", { exact: true }).click();
    const paper = await page.locator(".drawing-pad svg").boundingBox();
    const place = (x: number, y: number): [number, number] => [paper!.x + x * paper!.width, paper!.y + y * paper!.height];
    await page.mouse.move(...place(0.1, 0.65));
    await page.mouse.down();
    for (const [x, y] of [
      [0.16, 0.42],
      [0.19, 0.64],
      [0.25, 0.42],
      [0.28, 0.65],
      [0.36, 0.6],
    ] as const)
      await page.mouse.move(...place(x, y), { steps: 6 });
    await page.mouse.up();
    await page.waitForFunction(() => /drawn=\w{8}/.test(location.hash), undefined, { timeout: 30_000 });
    await page.waitForFunction(
      () => /^\d+ segments/.test(document.querySelector(".readout")?.textContent ?? "") && !document.querySelector(".stale"),
      undefined,
      {
        timeout: 120_000,
      },
    );
    expect(Number.parseInt((await page.locator(".readout").textContent())!, 10)).toBeLessThan(15);
    expect(await ranked.count()).toBeGreaterThan(0);
    const oneStroke = /drawn=[^&]*/.exec(page.url())![0];
    await page.mouse.click(...place(0.6, 0.3)); // a dot
    const drawn = page.locator(".drawing-pad polyline");
    await expect.poll(() => drawn.count()).toBe(2);
    expect(await drawn.nth(1).getAttribute("points")).toMatch(/^(\S+) \1$/);
    await page.waitForFunction((before) => /drawn=[^&]*/.exec(location.hash)?.[0] !== before, oneStroke, { timeout: 30_000 });
    await page.reload();
    await expect.poll(() => drawn.count(), { timeout: 60_000 }).toBe(2);
    expect(complaints).toEqual([]);
    await tab.close();
  });

  it("opens an autoencoder of one's own for a model of one's own, and refuses other files", { timeout: 240_000 }, async (context) => {
    if (!app) return context.skip();
    const { page, complaints, context: tab } = await app.open("#/features");
    await ready(page);
    const asset = (name: string): Buffer => readFileSync(join(app!.folder, "assets", name));
    const open = (label: string, buffer: Buffer) =>
      page.getByLabel(label).first().setInputFiles({ name: "mine.safetensors", mimeType: "", buffer });
    await open("A checkpoint's file", asset("sae.safetensors"));
    await page.locator(".toast", { hasText: "found an autoencoder, which has a button of its own" }).waitFor();
    await open("A checkpoint's file", asset("model.safetensors"));
    await page.getByRole("heading", { name: "This model has no autoencoder yet" }).waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Open an autoencoder…" }).last().waitFor();
    await open("An autoencoder's file", asset("model.safetensors"));
    await page.locator(".toast", { hasText: "was not opened" }).waitFor();
    await open("An autoencoder's file", asset("sae.safetensors"));
    await page.getByRole("link", { name: "Scope", exact: true }).click();
    await page.locator(".ranked li").first().waitFor({ timeout: 120_000 });
    expect(complaints).toEqual([]);
    await tab.close();
  });

  it("keeps labels apart by autoencoder, and hands them over as a file", { timeout: 240_000 }, async (context) => {
    if (!app) return context.skip();
    const { page, context: tab } = await app.open("#/features/18");
    await page.evaluate(() => {
      // Of another autoencoder, as an older one of this app.
      localStorage.setItem("labels of another", '{"18":"of another"}');
      localStorage.setItem("neuroscope labels", '{"18":"of another"}');
    });
    await page.reload();
    await page.locator(".fv-main").getByText("Feature 18").first().waitFor({ timeout: 60_000 });
    expect(await page.locator(".fv").textContent()).not.toContain("of another");
    expect(await page.getByRole("button", { name: /^Export/ }).count()).toBe(0);
    await page.getByRole("button", { name: "Edit label" }).click();
    const field = page.getByLabel("label of feature 18");
    await field.fill("down left, fast");
    await field.press("Enter");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export 1 label" }).click()]);
    expect(JSON.parse(readFileSync(await download.path(), "utf8"))).toEqual({ 18: "down left, fast" });
    await tab.close();
  });

  it("writes other ink where a feature is turned up, and the same where nothing is held", { timeout: 300_000 }, async (context) => {
    if (!app) return context.skip();
    const { page, complaints, context: tab } = await app.open("#/features/steer?text=ink&at=everywhere", { width: 360, height: 780 });
    await ready(page);
    const isDone = (): Promise<unknown> =>
      page.waitForFunction(() => document.querySelector(".steer-inks[aria-busy=false] .what-changed dl") !== null, undefined, {
        timeout: 120_000,
      });
    await isDone();
    const inks = async (): Promise<string[]> =>
      page.locator(paths(".steer-inks")).evaluateAll((found) => found.map((path) => path.getAttribute("d") ?? ""));
    const [untouched, same, changed] = await inks();
    expect(same).toBe(untouched);
    expect(changed).toBe("");

    await page.locator(".suggestions button").first().click();
    await page.locator(".held-feature input[type=number]").fill("2");
    await page.locator(".held-feature input[type=number]").press("Enter");
    await page.waitForFunction(() => /hold=\d+%3A2/.test(location.hash), undefined, { timeout: 30_000 });
    await page.waitForFunction(
      () => (document.querySelector(".steer-inks[aria-busy=false] .base.changed")?.getAttribute("d") ?? "") !== "",
      undefined,
      { timeout: 120_000 },
    );
    expect((await inks())[0]).toBe(untouched);
    const twice = (await inks())[2];
    await page.locator(".held-feature input[type=range]").focus();
    for (let i = 0; i < 12; i++) await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => !/hold=\d+%3A2(&|$)/.test(location.hash) && /hold=/.test(location.hash));
    await isDone();
    await expect.poll(async () => (await inks())[2], { timeout: 60_000 }).not.toBe(twice);
    expect(await page.locator(".what-changed dd").first().textContent()).toMatch(/^\d+ of \d+$/);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    expect(await seriousViolations(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await tab.close();
  });
});
