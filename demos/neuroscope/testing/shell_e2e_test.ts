import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { readSaeFile, writeSaeFile } from "@cursive/sae";
import { chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium } from "../../../scripts/runtimes/chromium.mjs";
import { PAGE_BUDGET, pageWeight } from "../build.mjs";
import { openPage, type RunningApp, ready, seriousViolations, startApp } from "./app.ts";

let app: RunningApp | undefined;
beforeAll(async () => {
  app = await startApp("the app's shell in Chromium");
});
afterAll(() => app?.close());

/** The failure that the page tells, once it does. */
async function failureOf(page: Page): Promise<string | null> {
  await page.locator("[data-failure]").waitFor({ timeout: 60_000 });
  expect(await page.getByRole("alert").count()).toBe(1);
  expect(await seriousViolations(page)).toEqual([]);
  return page.locator("[data-failure]").getAttribute("data-failure");
}

describe("the app's shell in Chromium", () => {
  it("weighs less than its budget without the model", (context) => {
    if (!app) return context.skip();
    const files = pageWeight(app.folder);
    expect(files.map(({ file }) => file)).toEqual(expect.arrayContaining(["index.html", "main.js", "worker.js", "style.css"]));
    const first = files.filter((file) => file.first);
    expect(first.some(({ file }) => file.includes("write_page"))).toBe(true);
    expect(first.some(({ file }) => file.includes("train"))).toBe(false);
    expect(first.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(PAGE_BUDGET);
  });

  it("tells three reasons apart why there is no GPU, each with what helps", async (context) => {
    if (!app) return context.skip();
    // Without the flag that allows it, a software adapter is none; the name is another machine's, and so not secure without https.
    const without = await chromium.launch({
      executablePath: await findChromium(process.env, { download: false }),
      args: ["--no-sandbox", "--disable-gpu-watchdog", "--host-resolver-rules=MAP neuroscope.test 127.0.0.1"],
    });
    const kinds: (string | null)[] = [];
    const titles: (string | null)[] = [];
    const look = async (page: Page): Promise<void> => {
      kinds.push(await failureOf(page));
      titles.push(await page.locator("[data-failure] h2").textContent());
      await page.context().close();
    };
    try {
      await look((await openPage(without, app.url.replace("localhost", "neuroscope.test"))).page);
      await look((await openPage(without, app.url)).page);
    } finally {
      await without.close();
    }
    const { page } = await app.open("#/diagnostics");
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined }));
    await page.goto(`${app.url}?old`);
    await look(page);
    expect(kinds).toEqual(["insecure", "no-adapter", "no-webgpu"]);
    expect(new Set(titles).size).toBe(3);
  });

  it("says that the GPU was lost, keeps what was typed, and starts again", async (context) => {
    if (!app) return context.skip();
    // The device is caught as the worker opens it, so that it can be taken away.
    const script = join(app.folder, "worker.js");
    const original = readFileSync(script, "utf8");
    const catching = `const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...options) { return globalThis.caught = await request.apply(this, options); };\n`;
    writeFileSync(script, catching + original);
    try {
      const { page } = await app.open("#/write?text=pen", { reducedMotion: "reduce" });
      await ready(page);
      await page.getByLabel("Text to write").fill("pen and ink");
      const file = readSaeFile(readFileSync(join(app.folder, "assets/sae.safetensors")));
      const mine = writeSaeFile({ ...file, about: { ...file.about, name: "my own" } });
      await page.getByLabel("An autoencoder's file").setInputFiles({ name: "sae.safetensors", mimeType: "", buffer: Buffer.from(mine) });
      await page.locator(".model-picker summary", { hasText: "SAE my own" }).waitFor();
      await page.workers()[0]!.evaluate(() => (globalThis as unknown as { caught: GPUDevice }).caught.destroy());
      expect(await failureOf(page)).toBe("lost");
      expect(await page.locator("header").textContent()).toContain("not running");
      await page.getByRole("button", { name: "Start again" }).click();
      await ready(page);
      expect(await page.getByLabel("Text to write").inputValue()).toBe("pen and ink");
      expect(await page.locator(".model-picker summary").textContent()).toContain("SAE my own");
      await page.getByRole("button", { name: "Write", exact: true }).click();
      await page.locator(".rewrite").nth(2).waitFor({ timeout: 60_000 });
      await page.context().close();
    } finally {
      writeFileSync(script, original);
    }
  });

  it("lets neither page nor workers ask elsewhere, even where the server sends no policy", async (context) => {
    if (!app) return context.skip();
    let asked = 0;
    const elsewhere = createServer((_, response) => {
      asked++;
      response.writeHead(200, { "access-control-allow-origin": "*" }).end("here");
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
    try {
      const address = `http://localhost:${(elsewhere.address() as AddressInfo).port}/`;
      expect(await (await fetch(address)).text()).toBe("here");
      const { page } = await app.open("#/train");
      await ready(page);
      await page.waitForSelector("[data-train=idle]");
      await expect.poll(() => page.workers().length).toBe(2);
      const ask = (url: string): Promise<string> => fetch(url).then((answer) => answer.text(), String); // biome-ignore format: a line
      const scopes = [page, ...page.workers()];
      for (const scope of scopes) expect(await scope.evaluate(ask, address)).toMatch(/Failed to fetch/);
      for (const scope of scopes) expect(await scope.evaluate(ask, `${app.url}icon.svg`)).toContain("<svg");
      expect(asked).toBe(1);
      await page.context().close();
    } finally {
      elsewhere.close();
    }
  });

  it("fits every page onto a phone, without a serious fault for assistive technology", { timeout: 300_000 }, async (context) => {
    if (!app) return context.skip();
    const places = ["write", "attention", "features", "features/18", "features/scope", "features/steer", "train", "collect", "diagnostics"];
    for (const place of places) {
      const { page, complaints } = await app.open(`#/${place}?text=ink`, {
        width: 360,
        height: 780,
        hasTouch: true,
        reducedMotion: "reduce",
      });
      await ready(page);
      await page.locator("main h1, main h2").first().waitFor({ state: "attached" });
      if (place === "features/scope") await page.locator(".ranked li").first().waitFor({ timeout: 60_000 });
      if (place.startsWith("features") && !place.includes("s/s"))
        await page.locator(".fv-main, .fv-row").first().waitFor({ state: "attached" });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect([place, width]).toEqual([place, 360]);
      expect([place, ...(await seriousViolations(page))]).toEqual([place]);
      expect(complaints).toEqual([]);
      await page.context().close();
    }
  });

  it("turns single letters off as keys, for who speaks to the machine", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/features/18");
    await ready(page);
    await page.locator(".fv-main").getByText("Feature 18").first().waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Help" }).click();
    const dialog = page.getByRole("dialog");
    for (const line of ["Next feature in the list", "To the search"]) await dialog.getByText(line).waitFor();
    // Keys in the help are not the page's.
    await page.keyboard.press("j");
    await dialog.getByRole("checkbox").uncheck();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(new URL(page.url()).hash).toMatch(/^#\/features\/18/);
    await page.locator("#content").focus();
    for (const key of ["j", "2", "?"]) await page.keyboard.press(key);
    expect(new URL(page.url()).hash).toMatch(/^#\/features\/18/);
    expect(await dialog.count()).toBe(0);
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => /^#\/features(\?|$)/.test(location.hash));
    await page.context().close();
  });

  it("goes to pages by key and by link, carries the text along, and changes the theme", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/write?text=joy&seed=2", { reducedMotion: "reduce" });
    await ready(page);
    await page.locator("#content").focus();
    const links = page.getByRole("navigation", { name: "Pages" }).getByRole("link");
    for (let i = 1; i < (await links.count()); i++) {
      await page.keyboard.press(String(i + 1));
      expect(await links.nth(i).getAttribute("aria-current")).toBe("page");
    }
    await page.keyboard.press("1");
    await page.waitForFunction(() => Number(document.querySelector<HTMLInputElement>("[aria-label='Pen movement']")?.value) > 10);
    // The list of features has a link of its own; what was typed outlives it.
    await page.getByLabel("Text to write").fill("pen and ink");
    await page.keyboard.press("Enter");
    await page.locator("#content").focus();
    await page.keyboard.press("3");
    await page.getByRole("searchbox").first().waitFor({ timeout: 60_000 });
    await page.getByRole("link", { name: "Scope", exact: true }).click();
    expect(await page.getByLabel("Word", { exact: true }).inputValue()).toBe("pen and ink");
    await page.getByRole("link", { name: "All features" }).click();
    await page.getByRole("searchbox").first().waitFor();
    await page.locator("#content").focus();
    await page.keyboard.press("1");
    expect(await page.getByLabel("Text to write").inputValue()).toBe("pen and ink");
    await page.getByLabel("Text to write").fill("1 2 ?");
    await page.keyboard.press("2");
    expect(await links.first().getAttribute("aria-current")).toBe("page");
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: /^Theme/ }).click();
    await page.getByRole("button", { name: /^Theme/ }).click();
    expect(await ground()).not.toBe(light);
    await page.reload();
    expect(await page.getByRole("button", { name: "Theme: dark" }).count()).toBe(1);
    await page.context().close();
  });
});
