// Calls functions of the workspace's modules inside a headless Chromium.
import { createServer } from "node:http";
import { bundle } from "./bundle.mjs";
import { launchChromium } from "./chromium.mjs";

/** @typedef {import("./runtime.mjs").Runtime} Runtime */

const PAGE = "<!doctype html><meta charset=utf-8><title>Tests</title>";

/**
 * Starts a browser and a server of modules for it.
 *
 * @param {string} executable
 * @param {{ modules: readonly string[], env: Readonly<Record<string, string>> }} options what may be called, and what `process.env` holds there
 * @returns {Promise<Runtime>}
 */
export async function startChromium(executable, { modules, env }) {
  const files = await bundle(modules);
  // Calls at the same time get a browser each: all pages of one share a GPU process, whose main thread compiles every shader.
  const first = await launchChromium(executable);
  const browsers = [first];
  const idle = [first];
  const server = await serve(files);
  const address = server.address();
  const origin = `http://localhost:${typeof address === "object" ? address?.port : address}`;
  const takeBrowser = async () => {
    const browser = idle.pop() ?? (await launchChromium(executable));
    if (!browsers.includes(browser)) browsers.push(browser);
    return browser;
  };
  return {
    name: `Chromium ${first.version()}`,
    url: (module) => `${origin}/${module.replace(/\.ts$/, ".js")}`,
    async call(url, name, ...args) {
      const browser = await takeBrowser();
      try {
        // A page of its own for each call: what one leaves behind goes with it.
        const page = await browser.newPage();
        await page.addInitScript((env) => Object.assign(globalThis, { process: { env } }), env);
        await page.goto(origin);
        const crash = new Promise((_, reject) => page.once("crash", () => reject(new Error("the page crashed"))));
        const result = page.evaluate(
          async ([url, name, args]) => (await import(url))[name](...args),
          /** @type {const} */ ([url, name, args]),
        );
        const value = await Promise.race([result, crash]);
        await page.close();
        idle.push(browser);
        return value;
      } catch (error) {
        // Whatever went wrong, the next call gets another browser.
        await browser.close();
        // playwright adds all that the browser printed, and every flag that it was started with.
        throw new Error((error instanceof Error ? error.message : String(error)).split("\nBrowser logs:")[0], { cause: error });
      }
    },
    async close() {
      await Promise.all(browsers.map((browser) => browser.close()));
      server.close();
    },
  };
}

/**
 * @param {ReadonlyMap<string, string>} files
 * @returns {Promise<import("node:http").Server>}
 */
function serve(files) {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").slice(1);
    if (path === "") return response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    const code = files.get(path);
    return code === undefined ? response.writeHead(404).end() : response.writeHead(200, { "content-type": "text/javascript" }).end(code);
  });
  return new Promise((resolve, reject) => server.once("error", reject).listen(0, "localhost", () => resolve(server)));
}
