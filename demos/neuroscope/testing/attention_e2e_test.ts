import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningApp, ready, seriousViolations, startApp } from "./app.ts";

let app: RunningApp | undefined;
beforeAll(async () => {
  app = await startApp("the attention page in Chromium");
}, 300_000);
afterAll(() => app?.close());

const PLACE = "#/attention?text=ink&seed=2&temperature=0.6&topK=0";
const reading = (page: Page) => page.getByTestId("summary").filter({ hasText: "On the mean" }).waitFor({ timeout: 90_000 });
const hash = (page: Page): Promise<string> => page.evaluate(() => location.hash);

describe("the attention page", () => {
  it("shows every head, and what letters and movements have to do with each other either way", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open(PLACE);
    await ready(page);
    await reading(page);
    expect(await page.locator(".head-choose").count()).toBe(24);
    expect(await page.locator(".attention-ink-glow path").count()).toBe(0);

    await page.locator(".letter-bar", { hasText: "n" }).first().hover();
    expect(await page.locator(".attention-ink-glow path").count()).toBeGreaterThan(3);
    await page.locator("[data-segment]").nth(4).hover({ force: true });
    expect(await page.getByTestId("summary").textContent()).toMatch(/^Movement \d+ of \d+ looks: \d+ % on “/);

    await page.locator(".letter-bar", { hasText: "k" }).first().click();
    await expect.poll(() => hash(page)).toContain("lock=l2");
    await page.locator("#attention-scrub").focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => hash(page)).toContain("lock=s1");
    await page.locator("h1").click();
    await page.keyboard.press("Escape");
    await expect.poll(() => hash(page)).not.toContain("lock");
    await page.keyboard.press("]");
    await expect.poll(() => hash(page)).toContain("head=c2.0");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("says what became of a text, and takes an empty one", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open("#/attention?text=Pen and ink&seed=2");
    await ready(page);
    await reading(page);
    const field = page.getByLabel("Word", { exact: true });
    expect(await field.inputValue()).toBe("Pen and ink");
    expect(await page.locator(".field-note").textContent()).toBe(
      "This model has small letters only: P is written small. Here one word at a time is looked at: “pen”.",
    );
    expect(await page.locator(".letter-bar").count()).toBeGreaterThan(2);
    await field.fill("");
    await page.getByTestId("summary").filter({ hasText: "Type a word" }).waitFor();
    expect(await field.inputValue()).toBe("");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("draws what self-attention looks back at as arcs, for the two rows and their mean", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open(`${PLACE}&head=s1.2&lock=s12`);
    await ready(page);
    await expect.poll(() => page.locator(".attention-arcs path").count(), { timeout: 90_000 }).toBeGreaterThan(0);
    const shares = async (): Promise<string[]> => page.locator(".letter-share").allTextContents();
    const mean = await shares();
    await page.locator(".attention-row-mode", { hasText: "θ" }).click();
    await expect.poll(() => hash(page)).toContain("rows=theta");
    expect(await shares()).not.toEqual(mean);
    expect(await seriousViolations(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("hooks a head off: the ink is written again, with the same draws, and the losses rise or fall", async (context) => {
    if (!app) return context.skip();
    const { page, complaints } = await app.open(PLACE, { width: 360, height: 780, colorScheme: "dark" });
    await ready(page);
    await reading(page);
    const heads = ["cross-attention L1H1 on", "cross-attention L2H0 on", "self-attention L1H3 on"];
    for (const name of heads) await page.getByRole("switch", { name }).click();
    const off = async (): Promise<string[]> => (new URLSearchParams((await hash(page)).split("?")[1]).get("off") ?? "").split(",").sort();
    await expect.poll(off).toEqual(["c1.1", "c2.0", "s1.3"]);
    await expect
      .poll(() => page.getByTestId("loss-words").textContent(), { timeout: 90_000 })
      .toMatch(/^[+−]\d\.\d{3} ± \d\.\d{3} nats a token/);
    expect(await page.getByTestId("loss-ink").textContent()).toMatch(/^[+−]\d\.\d{3} nats a token, from \d\.\d{3}$/);
    const drawn = (index: number): Promise<string[]> =>
      page
        .locator(".ablation-inks svg")
        .nth(index)
        .locator("path")
        .evaluateAll((paths) => paths.map((path) => path.getAttribute("d") ?? ""));
    const [all, without] = [await drawn(0), await drawn(1)];
    expect(without.length).toBeGreaterThan(0);
    expect(without).not.toEqual(all);
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole("button", { name: "All on" }).click();
    await expect.poll(() => hash(page)).not.toContain("off=");
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
