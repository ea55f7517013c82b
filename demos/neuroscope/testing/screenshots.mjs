// Pictures of every page, light and dark, on a desk and on a phone: `node demos/neuroscope/testing/screenshots.mjs [FOLDER] [NAME…]`, where FOLDER
// is docs/images/neuroscope unless told otherwise and names are those below. Builds and serves the app by itself.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findChromium, launchChromium } from "../../../scripts/runtimes/chromium.mjs";
import { buildApp } from "../build.mjs";
import { serveFolder } from "../static_server.mjs";

/** @typedef {import("playwright-core").Page} Page */

/**
 * Places in the app, and what is done there until they are worth a picture.
 *
 * @type {Record<string, { hash: string, act: (page: Page) => Promise<unknown> }>}
 */
const places = {
  write: {
    hash: "#/write?text=pen%20and%20ink&seed=7",
    act: (page) => page.waitForFunction(() => /tokens a second/.test(document.body.textContent ?? "")),
  },
  attention: {
    hash: "#/attention?text=letter&seed=2&head=c2.1",
    act: async (page) => {
      await page.getByTestId("summary").filter({ hasText: "On the mean" }).waitFor();
      await page.locator(".letter-bar").nth(2).click();
    },
  },
  features: { hash: "#/features", act: (page) => page.locator(".fv-row").first().waitFor() },
  feature: {
    hash: "#/features/250",
    act: async (page) => {
      await page.locator(".fv-main").getByText("Feature 250").first().waitFor();
      await page.locator(".fv-main svg").first().waitFor();
    },
  },
  scope: {
    hash: "#/features/scope?text=minute&seed=3&pins=172%2C19%2C250",
    act: (page) => page.locator(".ranked li").first().waitFor(),
  },
  steer: {
    hash: "#/features/steer?text=minute&hold=180%3A2",
    act: (page) => page.waitForFunction(() => document.querySelector(".steer-inks[aria-busy=false] .what-changed dl") !== null),
  },
  train: {
    hash: "#/train",
    act: async (page) => {
      await page.waitForSelector("[data-train=idle]");
      await page.getByText("Sizes and rate").click();
      for (const [label, value] of [
        ["Layers", 1],
        ["Width, a multiple of 4 heads", 32],
        ["Batch, sequences", 8],
      ]) {
        await page.getByLabel(String(label), { exact: true }).fill(String(value));
        await page.keyboard.press("Tab");
      }
      await page.getByRole("button", { name: "New model", exact: true }).click();
      await page.waitForSelector("[data-train=paused]");
      await page.getByRole("button", { name: "Start", exact: true }).click();
      await page.waitForFunction(() => Number(document.querySelector("[data-step]")?.getAttribute("data-step")) >= 150);
      await page.getByRole("button", { name: "Pause", exact: true }).click();
      await page.waitForSelector("[data-train=paused]");
    },
  },
  collect: {
    hash: "#/collect",
    act: async (page) => {
      const box = await page.getByTestId("pad").boundingBox();
      if (!box) throw new Error("Expected paper to write on but found none");
      const at = (/** @type {number} */ i) => ({
        x: box.x + box.width * (0.1 + 0.012 * i),
        y: box.y + box.height * (0.56 + 0.09 * Math.sin(0.9 * i)),
      });
      await page.mouse.move(at(0).x, at(0).y);
      await page.mouse.down();
      for (let i = 1; i < 36; i++) await page.mouse.move(at(i).x, at(i).y);
      await page.mouse.up();
    },
  },
  diagnostics: { hash: "#/diagnostics", act: (page) => page.getByRole("heading", { name: "Diagnostics" }).waitFor() },
};

const [folder = "docs/images/neuroscope", ...asked] = process.argv.slice(2);
const built = mkdtempSync(join(tmpdir(), "neuroscope-"));
await buildApp(built);
const server = await serveFolder(built);
const browser = await launchChromium(await findChromium(process.env, { download: true }));
try {
  for (const name of asked.length > 0 ? asked : Object.keys(places)) {
    const place = places[name];
    if (!place) throw new Error(`Expected one of ${Object.keys(places).join(", ")} but found ${name}`);
    mkdirSync(join(folder, name), { recursive: true });
    for (const [width, height] of [
      [1280, 900],
      [360, 780],
    ]) {
      for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
        const context = await browser.newContext({ viewport: { width: width ?? 0, height: height ?? 0 }, colorScheme, locale: "en-GB" });
        const page = await context.newPage();
        page.setDefaultTimeout(180_000);
        page.on("pageerror", (error) => console.log("page error:", error.message));
        page.on("console", (message) => console.log("console:", message.text()));
        await page.goto(`${server.url}${place.hash}`);
        await page.waitForSelector("[data-engine=ready]", { state: "attached" });
        await place.act(page);
        await page.mouse.move(2, 2);
        await page.evaluate(() => scrollTo(0, 0));
        await page.waitForTimeout(2500);
        const path = join(folder, name, `${width}-${colorScheme}.png`);
        await page.screenshot({ path });
        console.log(path);
        await context.close();
      }
    }
  }
} finally {
  await browser.close();
  await server.close();
  rmSync(built, { recursive: true, force: true });
}
