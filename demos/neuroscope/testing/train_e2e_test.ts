import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSaeFile } from "@cursive/sae";
import { openDevice } from "@cursive/tensor";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRunFile } from "../engine/train_file.ts";
import { startSession } from "../engine/train_session.ts";
import { type RunningApp, ready, seriousViolations, startApp } from "./app.ts";
import { twentyStepsConfig } from "./little_runs.ts";

let app: RunningApp | undefined;
beforeAll(async () => {
  app = await startApp("the Train page in Chromium");
});
afterAll(() => app?.close());

/** Shaders compile on two cores that others use too. */
const SLOW = 120_000;

const state = (page: Page, ...wanted: string[]) =>
  page.waitForSelector(wanted.map((each) => `[data-train=${each}]`).join(), { timeout: SLOW });
const stepOf = async (page: Page): Promise<number> => Number(await page.locator("[data-step]").getAttribute("data-step"));
const reachStep = (page: Page, step: number) =>
  page.waitForFunction((least) => Number(document.querySelector<HTMLElement>("[data-step]")?.dataset.step) >= least, step, {
    timeout: SLOW,
  });
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

async function fill(page: Page, values: Readonly<Record<string, number>>): Promise<void> {
  for (const [label, value] of Object.entries(values)) {
    await page.getByLabel(label, { exact: true }).fill(String(value));
    await page.keyboard.press("Tab");
  }
}

/** A model that SwiftShader trains in seconds. */
async function newModel(page: Page, steps: number): Promise<void> {
  await page.getByText("Sizes and rate").click();
  await fill(page, { Steps: steps, Layers: 1, "Width, a multiple of 4 heads": 16, "Batch, sequences": 4, "Tokens a sequence": 40 });
  await button(page, "New model").click();
  await state(page, "paused");
}

describe("the Train page in Chromium", () => {
  it("trains 50 steps, finds the run again after a reload, goes on with it, saves it to a file and opens that", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/train");
    await page.waitForSelector("[data-train=idle]");
    expect(await seriousViolations(page)).toEqual([]);
    await newModel(page, 5000);
    await button(page, "One step").click();
    await reachStep(page, 1);
    await page.getByLabel("Learning rate").fill("-1");
    await expect.poll(() => page.locator("output[for=rate-factor]").textContent()).toBe("0.0025, ÷2");
    await button(page, "Start").or(button(page, "Go on")).click();
    await reachStep(page, 50);
    await button(page, "Pause").click();
    await state(page, "paused");
    const paused = await stepOf(page);
    expect(paused).toBeGreaterThanOrEqual(50);
    expect(await page.locator(".curve-plot").getAttribute("aria-label")).toMatch(/^Loss over \d+ steps: training \d/);
    expect(await page.locator(".sample-ink").count()).toBe(6);
    expect(await seriousViolations(page)).toEqual([]);

    await page.reload();
    await page.waitForSelector(".saved-runs li");
    expect(await page.locator(".saved-runs li").textContent()).toContain(`step ${paused} of 5,000`);
    await button(page, "Open").click();
    await state(page, "paused");
    expect(await stepOf(page)).toBe(paused);
    expect(await page.locator("output[for=rate-factor]").textContent()).toBe("0.0025, ÷2");
    await button(page, "Go on").click();
    await reachStep(page, paused + 10);
    await button(page, "Pause").click();
    await state(page, "paused");
    const last = await stepOf(page);

    const [download] = await Promise.all([page.waitForEvent("download"), button(page, "Save to a file").click()]);
    const { record } = await readRunFile(new Uint8Array(readFileSync(await download.path())));
    expect([download.suggestedFilename(), record.step]).toEqual([`neuroscope-quick-step-${last}.safetensors`, last]);
    expect(record.tuning.rateFactor).toBe(0.5);
    expect(record.history.since(0).map(([step]) => step)).toEqual(Array.from({ length: last }, (_, i) => i + 1));

    await button(page, "Close").click();
    await state(page, "idle");
    page.on("dialog", (dialog) => dialog.accept());
    await button(page, `Delete Model, quick: 1 layer of 16, built-in words, step ${last}`).click();
    await button(page, "Delete").click();
    await page.waitForSelector(".saved-runs li", { state: "detached" });
    await page.getByLabel("A saved run's file").setInputFiles(await download.path());
    await state(page, "paused");
    expect(await stepOf(page)).toBe(last);
    expect(await page.locator(".saved-runs li").count()).toBe(1);
    await page.getByLabel("A saved run's file").setInputFiles(fileURLToPath(import.meta.url));
    await page.waitForSelector(".notice.bad");
    expect(await page.locator(".notice.bad").textContent()).toContain("Expected a safetensors file but found");
    expect(complaints).toEqual([]);
  }, 400_000);

  it("starts no run without the file of words that was asked for, and warns on every page before a running one is left", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/train");
    await page.waitForSelector("[data-train=idle]");
    await page.getByLabel("Words", { exact: true }).selectOption("a word bank's file");
    await button(page, "New model").click();
    expect(await page.evaluate(() => document.querySelector<HTMLInputElement>("[aria-label^='A word bank']")?.validity.valueMissing)).toBe(
      true,
    );
    expect(await page.locator("[data-train=idle]").count()).toBe(1);
    await page.getByLabel("Words", { exact: true }).selectOption("built-in hand");
    await newModel(page, 100_000);
    await button(page, "Start").click();
    await reachStep(page, 2);
    await page.getByRole("link", { name: "Collect" }).click();
    await page.locator("h1", { hasText: "Collect" }).waitFor();
    const asked = page.waitForEvent("dialog");
    const left = page.close({ runBeforeUnload: true });
    const dialog = await asked;
    expect(dialog.type()).toBe("beforeunload");
    await dialog.dismiss();
    await left;
    await page.getByRole("link", { name: "Train" }).click();
    await button(page, "Pause").click();
    await state(page, "paused");
    expect(complaints).toEqual([]);
    await page.context().close();
  }, 400_000);

  it("trains an autoencoder, shows every feature, and draws the one that is chosen; other pages can use it", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/train?kind=sae", { colorScheme: "dark" });
    await ready(page);
    await fill(page, { Features: 64, "Rows a step": 32, Steps: 5000 });
    await button(page, "New autoencoder").click();
    await state(page, "paused");
    await button(page, "Start").click();
    await page.waitForSelector(".feature-map", { timeout: SLOW });
    await button(page, "Pause").click();
    await state(page, "paused", "finished");
    expect(await page.locator(".feature-map [data-feature]").count()).toBe(64);
    expect(await page.locator(".curve-plot").count()).toBe(4);
    const map = page.getByRole("slider", { name: "Watched feature" });
    await map.focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelector(".feature-map [role=slider]")?.getAttribute("aria-valuenow") === "1");
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>("#watched-feature")?.value === "1", undefined, {
      timeout: SLOW,
    });
    expect(await page.locator(".watched line").count()).toBeGreaterThan(20);
    expect(await seriousViolations(page)).toEqual([]);
    await button(page, "Use on all pages").click();
    await page.waitForFunction(() => document.querySelector(".toast")?.textContent?.includes("is open on all pages"), undefined, {
      timeout: SLOW,
    });
    expect(await page.locator(".model-picker summary").textContent()).toContain("default, trained in this tab");
    const [download] = await Promise.all([page.waitForEvent("download"), button(page, "Save the autoencoder").click()]);
    const { config, about } = readSaeFile(readFileSync(await download.path()));
    expect([config.dSae, about.hookSite, about.modelName]).toEqual([64, "blocks.0.hook_mlp_out", "demo"]);
    await button(page, "Close").click();
    await state(page, "idle");
    expect(complaints).toEqual([]);
  }, 400_000);

  it("has the losses that Node has, within 1e-4", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/collect");
    await ready(page);
    using device = await openDevice();
    const isSoftware = (await page.locator(".app-chips").textContent())!.includes("software WebGPU");
    if (device.isSoftware !== isSoftware)
      return context.skip(
        `Chromium computes on ${isSoftware ? "a software adapter" : "a GPU"}, Node on ${device.name}: other kinds, other rounding`,
      );
    const client = fileURLToPath(new URL("../engine/train_client.ts", import.meta.url));
    await build({
      entryPoints: [client],
      outfile: join(app.folder, "train_client.js"),
      bundle: true,
      format: "iife",
      globalName: "trainClient",
      platform: "browser",
    });
    await page.addScriptTag({ url: "train_client.js" });
    const losses = await page.evaluate(async (config) => {
      const { TrainClient } = (globalThis as unknown as { trainClient: typeof import("../engine/train_client.ts") }).trainClient;
      const trainer = new TrainClient({ makeWorker: () => new Worker("train_worker.js", { type: "module" }) });
      await trainer.start(config);
      await trainer.play();
      await new Promise<void>((resolve, reject) => {
        trainer.status.subscribe(({ state, failure }) => {
          if (state === "finished") resolve();
          if (state === "failed") reject(new Error(failure?.text));
        });
      });
      return trainer.curves.value.rows.map(([, loss]) => loss!);
    }, twentyStepsConfig);
    const session = await startSession(twentyStepsConfig, {});
    for await (const _ of session.run({ until: 20, signal: new AbortController().signal })) expect(session.step).toBeGreaterThan(0);
    const wanted = session.history.since(0).map(([, loss]) => loss!);
    expect(losses).toHaveLength(20);
    for (const [i, loss] of losses.entries()) expect(Math.abs(loss - wanted[i]!)).toBeLessThan(1e-4);
  }, 400_000);
});
