import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningApp, ready, seriousViolations, startApp } from "./app.ts";

let app: RunningApp | undefined;
beforeAll(async () => {
  app = await startApp("the diagnostics page in Chromium");
}, 300_000);
afterAll(() => app?.close());

describe("the diagnostics page", () => {
  it("finds the kernels right on this adapter, measures it, and copies all of it as text", async (context) => {
    if (!app) return context.skip();
    const { page, context: browsing, complaints } = await app.open("#/diagnostics", { colorScheme: "dark" });
    await browsing.grantPermissions(["clipboard-read", "clipboard-write"]);
    await ready(page);
    await page.getByRole("button", { name: "Run the self-test" }).click();
    await expect
      .poll(() => page.getByTestId("verdict").textContent({ timeout: 100_000 }), { timeout: 110_000 })
      .toMatch(/^This GPU computes right: \d+ comparisons with float64 within their bounds, and the same bits again/);
    await page.getByRole("button", { name: "Measure" }).click();
    await expect
      .poll(() => page.getByTestId("speeds").textContent({ timeout: 100_000 }), { timeout: 110_000 })
      .toMatch(/GFLOP\/s.*tokens\/s/s);
    expect(await seriousViolations(page)).toEqual([]);

    await page.getByRole("button", { name: "Copy report" }).click();
    await page.getByText("The report is in the clipboard").first().waitFor();
    const report = await page.evaluate(() => navigator.clipboard.readText());
    for (const title of ["Browser", "Adapter", "Limits", "Model", "Self-test", "Speed", "Memory"])
      expect(report).toMatch(new RegExp(`^${title}`, "m"));
    expect(report).toMatch(/matmul +0\.\d{3}/);
    expect(report).toMatch(/swiftshader|llvmpipe|hardware/i);
    expect(complaints).toEqual([]);
    await page.context().close();
  }, 300_000);

  it("still tells of the browser, and shows the report, where there is no WebGPU", async (context) => {
    if (!app) return context.skip();
    const { page } = await app.open("#/diagnostics", { width: 360, height: 780 });
    await page.addInitScript(() => Object.defineProperty(navigator, "gpu", { value: undefined }));
    await page.goto(`${app.url}#/diagnostics`);
    await page.reload();
    await page.locator("[data-failure=no-webgpu]").waitFor();
    await page.getByRole("button", { name: "Show report" }).click();
    expect(await page.getByLabel("The report as text").inputValue()).toContain("no-webgpu: navigator.gpu is missing");
    expect(await page.getByRole("button", { name: "Run the self-test" }).isDisabled()).toBe(true);
    expect(await seriousViolations(page)).toEqual([]);
    await page.context().close();
  });
});
