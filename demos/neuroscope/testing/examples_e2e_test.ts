import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPage, type RunningApp, seriousViolations, startApp } from "./app.ts";

let app: RunningApp | undefined;
beforeAll(async () => {
  app = await startApp("the examples in Chromium");
});
afterAll(() => app?.close());

const folder = fileURLToPath(new URL("../examples/", import.meta.url));
const timeout = 120_000;

/** What each example shows once it is done. */
const examples: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  "write_a_word.html": (page) =>
    page.waitForFunction(
      () => {
        const canvas = document.querySelector("canvas")!;
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        return new Uint32Array(data.buffer).filter(Boolean).length > 1500;
      },
      undefined,
      { timeout },
    ),
  "tensors.html": async (page) => {
    await page.waitForFunction(() => document.querySelector("pre")?.textContent?.includes("step 100"), undefined, { timeout });
    const [, slope, offset] = /step 100: slope (\S+), offset (\S+),/.exec((await page.textContent("pre"))!)!;
    expect(Number(slope)).toBeCloseTo(2, 1);
    expect(Number(offset)).toBeCloseTo(-1, 1);
  },
  "feature_on_ink.html": async (page) => {
    await page.waitForSelector("svg", { timeout });
    expect(await page.locator("svg title").textContent()).toMatch(/^Feature \d+ on “wave”$/);
    const colours = await page.evaluate(
      () => new Set([...document.querySelectorAll("svg [stroke]")].map((line) => line.getAttribute("stroke"))).size,
    );
    expect(colours).toBeGreaterThan(2);
  },
  "train_a_model.html": async (page) => {
    await page.waitForFunction(() => document.querySelector("p")?.textContent?.startsWith("step 40:"), undefined, { timeout });
    const points = await page.evaluate(() => Array.from(document.querySelector("polyline")!.points, ({ y }) => y));
    expect(points).toHaveLength(40);
    expect(points.at(-1)).toBeGreaterThan(points[0]! + 0.5);
  },
};

describe("the examples in Chromium", () => {
  it.each(Object.keys(examples))(
    "%s runs and draws, in fewer than thirty lines",
    async (name) => {
      expect(
        readFileSync(folder + name, "utf8")
          .trimEnd()
          .split("\n").length,
      ).toBeLessThan(30);
      if (!app) return;
      const { page, complaints, context } = await openPage(app.browser, `${app.url}examples/${name}`);
      await examples[name]!(page);
      expect(complaints).toEqual([]);
      expect(await seriousViolations(page)).toEqual([]);
      await context.close();
    },
    150_000,
  );

  it("are all listed and all tested", () => {
    const names = readdirSync(folder).filter((name) => name.endsWith(".html") && name !== "index.html");
    expect(names.sort()).toEqual(Object.keys(examples).sort());
    const list = readFileSync(`${folder}index.html`, "utf8");
    for (const name of names) expect(list).toContain(`href="${name}"`);
  });
});
