// Pictures of every page, light and dark on a desk and light on a phone: `node demos/neuroscope/testing/screenshots.mjs [FOLDER] [NAME…]`, where
// FOLDER is docs/images/neuroscope unless told otherwise and names are those below. Builds and serves the app by itself. What is seen on the
// Train page is trained first, once for all of its pictures: that takes some minutes.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findChromium, launchChromium } from "../../../scripts/runtimes/chromium.mjs";
import { buildApp } from "../build.mjs";
import { serveFolder } from "../static_server.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ hash: string, act: (page: Page) => Promise<unknown>, height?: number }} Place */

/** Desks are pictured as far down as the page goes, unless the place says how far; phones as far as one sees. */
const views = /** @type {const} */ ([
  { width: 1280, height: 900, colorScheme: "light" },
  { width: 1280, height: 900, colorScheme: "dark" },
  { width: 360, height: 780, colorScheme: "light" },
]);

/** Longest wait: a self-test on a software adapter, or a run that is trained. */
const PATIENCE = 600_000;

const [folder = "docs/images/neuroscope", ...asked] = process.argv.slice(2);
const built = mkdtempSync(join(tmpdir(), "neuroscope-"));
await buildApp(built);
const server = await serveFolder(built);
const browser = await launchChromium(await findChromium(process.env, { download: true }));

/**
 * Places in the app, and what is done there until they are worth a picture.
 *
 * @type {Record<string, Place>}
 */
const places = {
  write: {
    hash: "#/write?text=pen%20and%20ink&seed=7&at=70&ends=1",
    act: (page) => page.getByText(/24 other ends/).waitFor(),
  },
  attention: {
    hash: "#/attention?text=letter&seed=2&temperature=0.6&head=c1.2&off=c1.0&lock=l2",
    act: (page) => page.getByTestId("loss-words").filter({ hasText: "nats a token" }).waitFor(),
  },
  features: { hash: "#/features", height: 1000, act: (page) => page.locator(".fv-row").first().waitFor() },
  feature: {
    hash: "#/features/250",
    height: 1100,
    act: async (page) => {
      await page.locator(".fv-main").getByText("Feature 250").first().waitFor();
      await page.locator(".fv-main svg").first().waitFor();
    },
  },
  scope: {
    hash: "#/features/scope?text=minute&seed=3&temperature=0.6&pins=172%2C19%2C250",
    act: (page) => page.locator(".ranked li").first().waitFor(),
  },
  steer: {
    hash: "#/features/steer?text=minute&seed=0&temperature=0.6&hold=250%3A2",
    act: (page) => page.waitForFunction(() => document.querySelector(".steer-inks[aria-busy=false] .what-changed dl") !== null),
  },
  train: {
    hash: "#/train",
    act: async (page) => {
      await openRun(page, await trainedModel());
      await page.locator(".sample-ink").first().waitFor();
    },
  },
  "train-sae": {
    hash: "#/train?kind=sae",
    act: async (page) => {
      await openRun(page, await trainedAutoencoder());
      await page.locator(".watched svg").first().waitFor();
    },
  },
  collect: {
    hash: "#/collect",
    act: async (page) => {
      await page.locator("[data-testid=pad]").waitFor();
      for (let word = 0; word < 6; word++) {
        await writePrompt(page, word);
        if (word === 5) break; // the last one stays on the paper
        await page.getByRole("button", { name: "Next", exact: true }).click();
        await page
          .getByTestId("kept")
          .filter({ hasText: `${word + 1} word` })
          .waitFor();
      }
    },
  },
  diagnostics: {
    hash: "#/diagnostics",
    act: async (page) => {
      await page.getByRole("button", { name: "Run the self-test" }).click();
      await page.getByTestId("verdict").waitFor();
      await page.getByRole("button", { name: "Measure" }).click();
      await page.getByTestId("speeds").waitFor();
    },
  },
};

/** @param {{ width: number, height: number, colorScheme: "light" | "dark" }} view @param {string} hash */
async function openPage({ width, height, colorScheme }, hash) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: "en-GB", acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => console.log("page error:", error.message));
  page.on("console", (message) => message.type() === "error" && console.log("console:", message.text()));
  await page.goto(`${server.url}${hash}`);
  await page.waitForSelector("[data-engine=ready]", { state: "attached" });
  return page;
}

/** @type {Map<string, Promise<string>>} */
const runs = new Map();

/** A model that has learned to write short words, as a saved run's file. */
function trainedModel() {
  return trained("model", "#/train", async (page) => {
    await page.getByRole("button", { name: "New model", exact: true }).click();
  });
}

/** An autoencoder of the app's model, as a saved run's file. */
function trainedAutoencoder() {
  return trained("sae", "#/train?kind=sae", async (page) => {
    for (const [label, value] of /** @type {const} */ ([
      ["Features", 256],
      ["Steps", 600],
    ])) {
      await page.getByLabel(label, { exact: true }).fill(String(value));
      await page.keyboard.press("Tab");
    }
    await page.getByRole("button", { name: "New autoencoder", exact: true }).click();
  });
}

/**
 * Trains once, to the end.
 *
 * @param {string} name
 * @param {string} hash
 * @param {(page: Page) => Promise<void>} choose
 */
function trained(name, hash, choose) {
  const make = async () => {
    const page = await openPage(views[0], hash);
    await page.waitForSelector("[data-train=idle]");
    await choose(page);
    await page.waitForSelector("[data-train=paused]");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.waitForSelector("[data-train=finished]");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save to a file" }).click()]);
    const path = join(built, `${name}.safetensors`);
    await download.saveAs(path);
    await page.context().close();
    return path;
  };
  const known = runs.get(name) ?? make();
  runs.set(name, known);
  return known;
}

/** @param {Page} page @param {string} path */
async function openRun(page, path) {
  await page.getByLabel("A saved run's file").setInputFiles(path);
  await page.waitForSelector("[data-train=paused], [data-train=finished]");
}

/**
 * Writes the prompted word with the mouse: along the example on the paper, as an unsteady hand would.
 *
 * @param {Page} page
 * @param {number} word its number, from which the hand's ways follow
 */
async function writePrompt(page, word) {
  await page.locator(".writing-example polyline").first().waitFor();
  const strokes = await page.evaluate((number) => {
    const svg = /** @type {SVGSVGElement} */ (document.querySelector("[data-testid=pad]"));
    const toScreen = /** @type {DOMMatrix} */ (svg.getScreenCTM());
    const [slant, tall, shift] = [0.1 * Math.sin(2 * number), 1 + 0.07 * Math.sin(5 * number), 40 + 30 * Math.sin(3 * number)];
    return [...svg.querySelectorAll(".writing-example polyline")].map((line) =>
      (line.getAttribute("points") ?? "").split(" ").map((pair) => {
        const [x = 0, y = 0] = pair.split(",").map(Number);
        const wobble = [4 * Math.sin(y / 31 + x / 47 + number), 5 * Math.sin(x / 53 + 2 * number) + 3 * Math.sin(x / 23 + y / 41)];
        const place = new DOMPoint(x + shift - slant * y + (wobble[0] ?? 0), tall * y + 0.015 * x + (wobble[1] ?? 0));
        const { x: left, y: top } = place.matrixTransform(toScreen);
        return /** @type {const} */ ([left, top]);
      }),
    );
  }, word);
  for (const [first, ...rest] of strokes) {
    if (!first) continue;
    await page.mouse.move(...first);
    await page.mouse.down();
    for (const place of rest) await page.mouse.move(...place);
    await page.mouse.up();
  }
}

try {
  for (const name of asked.length > 0 ? asked : Object.keys(places)) {
    const place = places[name];
    if (!place) throw new Error(`Expected one of ${Object.keys(places).join(", ")} but found ${name}`);
    mkdirSync(join(folder, name), { recursive: true });
    for (const view of views) {
      const isDesk = view.width > 500;
      const page = await openPage({ ...view, ...(isDesk && place.height !== undefined && { height: place.height }) }, place.hash);
      await place.act(page);
      await page.mouse.move(2, 2);
      await page.evaluate(() => scrollTo(0, 0));
      await page.waitForTimeout(1500);
      const path = join(folder, name, `${view.width}-${view.colorScheme}.png`);
      await page.screenshot({ path, fullPage: isDesk && place.height === undefined });
      console.log(path);
      await page.context().close();
    }
  }
} finally {
  await browser.close();
  await server.close();
  rmSync(built, { recursive: true, force: true });
}
