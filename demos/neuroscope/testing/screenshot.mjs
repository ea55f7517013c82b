// Pictures of a page of the app as it is served: `node demos/neuroscope/testing/screenshot.mjs URL FOLDER [SELECTOR]` makes four, light and
// dark, on a desk and on a phone, once SELECTOR is there (default: once the engine is ready) and three more seconds have passed.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { findChromium, launchChromium } from "../../../scripts/runtimes/chromium.mjs";

const [, , url = "http://localhost:8123/", folder = "screenshots", selector = "[data-engine=ready]"] = process.argv;
mkdirSync(folder, { recursive: true });
const browser = await launchChromium(await findChromium(process.env, { download: true }));
for (const [width, height] of [
  [1280, 900],
  [360, 780],
]) {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme, locale: "en-GB" });
    page.on("pageerror", (error) => console.log("page error:", error.message));
    page.on("console", (message) => console.log("console:", message.text()));
    await page.goto(url);
    await page.waitForSelector(selector, { state: "attached", timeout: 120_000 });
    await page.waitForTimeout(3000);
    const path = join(folder, `${width}-${colorScheme}.png`);
    await page.screenshot({ path, fullPage: true });
    console.log(path);
    await page.close();
  }
}
await browser.close();
