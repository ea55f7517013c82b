import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { findChromium, launchChromium } from "../../../scripts/runtimes/chromium.mjs";
import { sayThatSkipped } from "../../../scripts/runtimes/tool.mjs";
import { buildApp } from "../build.mjs";
import { serveFolder } from "../static_server.mjs";

/** How a page is looked at. */
export interface View {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  readonly reducedMotion?: "reduce" | "no-preference";
  /** Whether there is a touch screen, as on a phone. */
  readonly hasTouch?: boolean;
}

/** The built app on a server of its own, in a Chromium whose WebGPU runs on its software adapter. */
export interface RunningApp {
  readonly browser: Browser;
  /** Where it is served, with a slash at the end. */
  readonly url: string;
  /** The folder that it was built into. */
  readonly folder: string;
  /** Opens a place in the app (`#/write?text=ink`), and listens for everything that should not happen. */
  open(hash: string, view?: View): Promise<OpenPage>;
  close(): Promise<void>;
}

/** A page of the app, and what went wrong on it so far: errors, console messages, requests beyond its server. */
export interface OpenPage {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly complaints: string[];
}

/**
 * Builds the app and starts a browser. Where no Chromium can be had the reason is printed and nothing is given: tests are then skipped.
 *
 * @param about what is skipped then, for the message
 * @example
 * ```ts
 * let app: RunningApp | undefined;
 * beforeAll(async () => { app = await startApp("the write page in Chromium"); });
 * afterAll(() => app?.close());
 * it("writes", async (context) => {
 *   if (!app) return context.skip();
 *   const { page, complaints } = await app.open("#/write?text=ink");
 *   await ready(page);
 * });
 * ```
 */
export async function startApp(about: string): Promise<RunningApp | undefined> {
  let browser: Browser;
  try {
    browser = await launchChromium(await findChromium(process.env, { download: process.env.CURSIVE_NO_DOWNLOAD === undefined }));
  } catch (error) {
    sayThatSkipped(about, error);
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "neuroscope-"));
  await buildApp(folder);
  const server = await serveFolder(folder);
  return {
    browser,
    url: server.url,
    folder,
    open: (hash, view) => openPage(browser, `${server.url}${hash}`, view),
    close: async () => {
      await browser.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Opens an address in a context of its own, which shares no storage with others. */
export async function openPage(browser: Browser, url: string, view: View = {}): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width: view.width ?? 1280, height: view.height ?? 900 },
    colorScheme: view.colorScheme ?? "light",
    reducedMotion: view.reducedMotion ?? "no-preference",
    hasTouch: view.hasTouch ?? false,
    // Without one the browser may name a language of the system's that it does not know itself.
    locale: "en-GB",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A 404 is how the app learns that there is no autoencoder; Chromium tells of a software adapter's limits.
    if (message.type() === "error" && !/404/.test(message.text())) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(url).origin) && !/^(data|blob):/.test(request.url()))
      complaints.push(`asked for ${request.url()}`);
  });
  await page.goto(url);
  return { page, context, complaints };
}

/** Waits until the engine is ready. @throws with what the page says instead. */
export async function ready(page: Page, timeout = 90_000): Promise<void> {
  await page.waitForSelector("[data-engine=ready], [data-engine=failed]", { state: "attached", timeout });
  const failure = page.locator("[data-failure]");
  if (await failure.count()) throw new Error(`Expected the engine to be ready but found: ${await failure.textContent()}`);
}

/** What axe-core finds serious or critical on the page as it is, in words. */
export async function seriousViolations(page: Page): Promise<string[]> {
  // The page allows no script but its own, so the checker comes through the debugger.
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<import("axe-core").AxeResults> } };
    const { violations } = await axe.run();
    return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, where: nodes.map(({ target }) => target.join(" ")) }));
  });
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, where }) => `${id}: ${help}: ${where.slice(0, 3).join("; ")}`);
}
