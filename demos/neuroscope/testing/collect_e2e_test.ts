import { readFileSync } from "node:fs";
import { readWordBank } from "@cursive/cursive-model";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningApp, ready, seriousViolations, startApp } from "./app.ts";

let app: RunningApp | undefined;
beforeAll(async () => {
  app = await startApp("the collect page in Chromium");
}, 300_000);
afterAll(() => app?.close());

type Place = readonly [x: number, y: number];

/** Draws a stroke with the mouse, at shares of the paper's width and height. */
async function draw(page: Page, [first, ...rest]: readonly Place[]): Promise<void> {
  const box = (await page.getByTestId("pad").boundingBox())!;
  const at = ([x, y]: Place): Place => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(first!));
  await page.mouse.down();
  for (const place of rest) await page.mouse.move(...at(place), { steps: 4 });
  await page.mouse.up();
}

const wave = Array.from({ length: 20 }, (_, i): Place => [0.1 + 0.02 * i, 0.55 + 0.1 * Math.sin(i)]);
const strokes = (page: Page) => page.locator("[data-testid=pad] > polyline");

describe("the collect page", () => {
  it("takes ink from a pointer, keeps it over a reload, and saves what the word bank's reader and the page itself read", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/collect");
    await ready(page);
    const prompt = async (): Promise<string> => (await page.locator(".collect-word").textContent())!;
    await expect.poll(prompt).toMatch(/^[a-z]{3,8}$/);
    const word = await prompt();

    await draw(page, wave);
    await draw(page, [[0.3, 0.2]]); // a dot
    expect(await strokes(page).count()).toBe(2);
    expect(await page.getByTestId("model-view").textContent()).toMatch(/\d+ movements, \d+ tokens of at most 191/);
    await page.getByRole("button", { name: "Undo" }).click();
    expect(await strokes(page).count()).toBe(1);
    await draw(page, [[0.5, 0.2]]);

    await page.reload();
    await expect.poll(() => strokes(page).count()).toBe(2);
    expect(await prompt()).toBe(word);
    await page.locator("h1").click();
    await page.keyboard.press("Enter");
    await expect.poll(() => page.getByTestId("kept").textContent()).toBe("1 word kept");
    const second = await prompt();
    expect(second).not.toBe(word);
    await page.getByRole("button", { name: "Skip", exact: true }).click();
    await expect.poll(prompt).not.toBe(second);

    await page.reload();
    await expect.poll(() => page.getByTestId("kept").textContent()).toBe("1 word kept");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as zip" }).click()]);
    const path = await download.path();
    const [read, ...none] = await readWordBank(readFileSync(path));
    expect(none).toEqual([]);
    expect(read).toMatchObject({ text: word, author: "me" });
    expect(read!.points.filter(([, , pen]) => pen === 0)).toHaveLength(2);
    expect(read!.points.at(-1)![2]).toBe(0);
    const xs = read!.points.map(([x]) => x);
    expect(Math.max(...xs) - Math.min(...xs)).toBeCloseTo(0.38 * 1.7, 1); // of a paper 1.7 canvas heights wide

    const throwAway = page.getByRole("button", { name: `Throw “${word}” away` });
    await throwAway.click();
    await expect.poll(() => page.getByTestId("kept").textContent()).toBe("0 words kept");
    await page.getByRole("button", { name: "Bring it back" }).click();
    await expect.poll(() => page.getByTestId("kept").textContent()).toBe("1 word kept");
    await throwAway.click();
    await expect.poll(() => page.getByTestId("kept").textContent()).toBe("0 words kept");
    const choose = (name: string, buffer: Buffer) =>
      page.locator("input[type=file][accept*=zip]").setInputFiles({ name, mimeType: "", buffer });
    await choose("mine.zip", readFileSync(path));
    await expect.poll(() => page.getByTestId("account").textContent()).toBe("mine.zip: 1 word added.");
    expect(await page.getByTestId("kept").textContent()).toBe("1 word kept");
    await choose("mine.zip", readFileSync(path));
    await expect.poll(() => page.getByTestId("account").textContent()).toBe("mine.zip: 0 words added, 1 left out (1 duplicate).");
    await choose("notes.txt", Buffer.from("not a bank"));
    await expect.poll(() => page.getByTestId("account").textContent()).toMatch(/^notes\.txt: Expected JSON but found something else/);

    expect(await seriousViolations(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("gives ink back that was cleared or skipped", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/collect");
    await ready(page);
    const prompt = async (): Promise<string> => (await page.locator(".collect-word").textContent())!;
    await expect.poll(prompt).toMatch(/^[a-z]{3,8}$/);
    const word = await prompt();
    await draw(page, wave);
    await draw(page, [[0.3, 0.2]]);
    await page.locator("h1").click();
    for (const key of ["c", "s"]) {
      await page.keyboard.press(key);
      await expect.poll(() => strokes(page).count()).toBe(0);
      await page.keyboard.press("u");
      await expect.poll(() => strokes(page).count()).toBe(2);
      expect(await prompt()).toBe(word);
    }
    await page.context().close();
  });

  it("has no serious violation on a phone in the dark", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/collect", { width: 360, height: 780, colorScheme: "dark", hasTouch: true });
    await ready(page);
    await draw(page, wave);
    const box = (await page.getByTestId("pad").boundingBox())!;
    await page.touchscreen.tap(box.x + 0.3 * box.width, box.y + 0.2 * box.height);
    expect(await strokes(page).count()).toBe(2);
    expect(await seriousViolations(page)).toEqual([]);
    await page.context().close();
  });
});
