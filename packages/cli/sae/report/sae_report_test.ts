import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { madeSaeRun } from "../../testing/made_sae_run.ts";
import { type TemporaryFolder, temporaryFolder } from "../../testing/mini.ts";
import { runInProcess } from "../../testing/run_in_process.ts";
import type { SaeReportData } from "./report_data.ts";

let parent: TemporaryFolder;
let runs: string[];
const at = (...parts: string[]): string => join(parent.path, ...parts);
beforeAll(() => {
  parent = temporaryFolder();
  runs = ["--runs", at("runs")];
  madeSaeRun(at("runs/saes"), { name: "one-001", steps: 30 });
  madeSaeRun(at("runs/saes"), { name: "grid-002", steps: 4000, grid: ["sae.k=2,4"] });
});
afterAll(() => parent[Symbol.dispose]());

const dataOf = (page: string): SaeReportData => JSON.parse(page.match(/id="data">([^<]*)</)![1]!);

describe("a report of autoencoders", () => {
  it("has every figure of a short run's metrics, each step by itself", async () => {
    const { code, stdout } = await runInProcess("report", "saes/one-001", "--json", ...runs);
    expect(code).toBe(0);
    const { path, bytes } = JSON.parse(stdout);
    const page = readFileSync(path, "utf8");
    expect([path, bytes]).toEqual([at("runs/saes/one-001/report.html"), Buffer.byteLength(page)]);
    const rows = readFileSync(at("runs/saes/one-001/metrics.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: a chain
    const { members, axes, rowsPerStep, charts } = dataOf(page);
    expect([members, axes.count, axes.bucket, rowsPerStep]).toEqual([["one-001"], 30, 1, 2048]);
    expect(charts.map(({ id }) => id)).toContain("sparsity/dead_features");
    const [loss] = charts;
    expect(loss!.curves.map(({ label }) => label)).toEqual(["overall loss", "mse loss", "auxiliary reconstruction loss"]);
    for (const { label, spread } of loss!.curves)
      expect(spread.mean).toEqual(rows.map((row) => Number(row[`losses/${label.replaceAll(" ", "_")}`].toPrecision(5))));
    expect(page).toContain(rows.at(-1)["metrics/explained_variance"].toFixed(4));
    expect(page).not.toMatch(/src=|https?:\/\/(?!github\.com\/leeoniya)/);
  });

  it("has a curve for each of a grid's, thinned where there are many steps, with what lies in between", async () => {
    const out = at("grid.html");
    expect((await runInProcess("report", "saes/2", "--out", out, ...runs)).code).toBe(0);
    const { members, axes, charts } = dataOf(readFileSync(out, "utf8"));
    expect([members, axes.count, axes.bucket]).toEqual([["k-2", "k-4"], 4000, 3]);
    for (const { id, curves } of charts) if (id !== "milliseconds") expect(curves.map(({ member }) => member)).toEqual([0, 1]);
    const { mean, min, max } = charts[0]!.curves[1]!.spread;
    expect(mean).toHaveLength(Math.ceil(4000 / 3));
    expect(mean.every((value, i) => min![i]! <= value! && value! <= max![i]!)).toBe(true);
  });

  it("refuses several at once, and in the company of models", async () => {
    const events = await runInProcess("report", "saes/1", "--tensorboard", at("boards"), ...runs);
    expect([events.code, events.stderr]).toEqual([2, expect.stringContaining("its event files are in")]);
    for (const names of [["saes/1", "saes/2"], ["saes/9"]]) {
      const { code, stderr } = await runInProcess("report", ...names, ...runs);
      expect(code).toBe(2);
      expect(stderr).toMatch(
        names.length > 1 ? /Expected one run of autoencoders by itself .*`sae compare/ : /found no '9': the nearest are/,
      );
    }
  });
});

describe("runs", () => {
  it("lists and shows autoencoders' runs behind saes/, damaged ones too", async () => {
    mkdirSync(at("runs/saes/damaged-003"));
    writeFileSync(at("runs/saes/damaged-003/config.json"), "{");
    const { stdout } = await runInProcess("runs", "ls", ...runs);
    expect(stdout).toMatch(/^saes\/one-001 +finished +30\/30 +0\.9677 +8\.0 +1 +2026-01-02 03:04$/m);
    expect(stdout).toMatch(/^saes\/grid-002 +finished +4000\/4000 +k-2 +0\.9998 +8\.0 +\d/m);
    expect(stdout).toMatch(/^ +k-4 +0\.8998 +7\.0 +\d/m);
    expect(stdout).toMatch(/^saes\/damaged-003 +unknown +0\/\?/m);
    const { saes } = JSON.parse((await runInProcess("runs", "ls", "--json", ...runs)).stdout);
    expect(saes).toMatchObject([{ name: "one-001", members: [{ l0: 8, latents: 512 }] }, { name: "grid-002" }, { members: [] }]);
    const shown = (await runInProcess("runs", "show", "saes/grid-002", ...runs)).stdout;
    expect(shown).toContain("sae       k-4  FVE 0.8998, L0 7.00");
    expect(shown).toContain("grid = ");
    expect((await runInProcess("runs", "compare", "saes/1", "saes/2", ...runs)).stderr).toContain("`sae compare` compares autoencoders");
    expect((await runInProcess("runs", "rm", "saes/damaged-003", "--yes", ...runs)).code).toBe(0);
  });
});
