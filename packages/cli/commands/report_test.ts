import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ReportData, ReportSheets } from "../report/report_data.ts";
import { readEventFolder, scalarsOf } from "../tensorboard/testing/read_events.ts";
import { madeRun } from "../testing/made_run.ts";
import { type TemporaryFolder, temporaryFolder } from "../testing/mini.ts";
import { runInProcess } from "../testing/run_in_process.ts";

let folder: TemporaryFolder;
let runs: string;
beforeEach(() => {
  folder = temporaryFolder();
  runs = join(folder.path, "runs");
});
afterEach(() => folder[Symbol.dispose]());

const report = (...args: string[]): ReturnType<typeof runInProcess> => runInProcess("report", ...args, "--runs", runs);

/** What the page's script would draw. */
function readPage(path: string): { page: string; data: ReportData; sheets: ReportSheets } {
  const page = readFileSync(path, "utf8");
  const inside = (id: string): string => new RegExp(`<script type="[^"]*" id="${id}">([^<]*)</script>`).exec(page)![1]!;
  return { page, data: JSON.parse(inside("data")), sheets: JSON.parse(gunzipSync(Buffer.from(inside("sheets"), "base64")).toString()) };
}

describe("report", () => {
  it("writes the last run's page into its folder, or where it is told to", async () => {
    const path = madeRun(runs);
    const { code, stdout } = await report();
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^report {3}.*made-001\/report\.html {2}[\d.]+ kB\n$/),
    });
    const { data, sheets } = readPage(join(path, "report.html"));
    expect(data.runs).toMatchObject([{ name: "made-001", tokensPerStep: 32, steps: { count: 20 } }]);
    expect(sheets[data.runs[0]!.samples[0]!.sheet]).toMatchObject({ words: [{ caption: "at" }, { caption: "in" }] });
    const out = join(folder.path, "elsewhere", "page.html");
    const told = await report("1", "--out", out, "--json");
    expect(JSON.parse(told.stdout)).toEqual({
      event: "report",
      path: out,
      bytes: statSync(out).size,
      runs: [{ run: "made-001", warnings: [] }],
    });
    expect((await report("1", "--quiet")).stdout).toBe("");
  });

  it("lays several runs over one another, says what differs, and keeps a sheet that both drew once", async () => {
    madeRun(runs, { name: "made-001" });
    madeRun(runs, { name: "made-002", values: { "training.lr": 0.5 } });
    const { stdout } = await report("1", "made-002", "1");
    expect(stdout).toMatch(/runs\/compare\.html/);
    const { page, data, sheets } = readPage(join(runs, "compare.html"));
    expect(data.runs.map(({ name, colour }) => [name, colour])).toEqual([
      ["made-001", 0],
      ["made-002", 1],
    ]);
    expect(page).toMatch(/<code>training\.lr<\/code><\/th><td>0\.02<\/td><td>0\.5<\/td>/);
    expect(page).not.toContain("<code>model.nEmbd</code>");
    expect(sheets).toHaveLength(4);
    expect((await runInProcess("runs", "ls", "--runs", runs)).stdout).not.toContain("compare");
  });

  it("allows the page nothing but itself", async () => {
    const path = madeRun(runs);
    await report();
    const { page } = readPage(join(path, "report.html"));
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!.replaceAll("&#39;", "'");
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; img-src data:; base-uri 'none'; form-action 'none'$/,
    );
    expect(page).not.toMatch(/ (?:src|href|style|on\w+)=/);
  });

  it("takes whatever texts and names say as text", async () => {
    const bad = "</script><script>alert(1)</script>";
    const path = madeRun(runs, {
      name: "made-001",
      captions: [bad, "</figure><img src=x onerror=alert(1)>"],
      values: { "data.source": bad, "data.words": 10 },
      status: { state: "failed", message: bad },
      environment: { cpu: bad, platform: "<!--" },
    });
    expect((await report()).code).toBe(0);
    const { page, sheets } = readPage(join(path, "report.html"));
    expect(page.match(/<script/g)).toHaveLength(3);
    expect(page.match(/<\/script>/g)).toHaveLength(3);
    expect(page.match(/<!--/g)).toHaveLength(1);
    expect(page).toContain("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(sheets[0]).toMatchObject({ words: [{ caption: bad }, {}] });
  });

  it("keeps long runs small", async () => {
    const path = madeRun(runs, { steps: 110_000, evaluateEvery: 2500 });
    expect((await report()).code).toBe(0);
    const { page, data } = readPage(join(path, "report.html"));
    expect(data.runs[0]!.steps).toMatchObject({ count: 110_000, bucket: 74 });
    expect(page).toContain("110,000 steps, drawn as 1,487 means of 74, with a band from their least to their greatest; 44 evaluations.");
    expect(page.length).toBeLessThan(400_000);
  });

  it("says in one line what cannot be reported on", async () => {
    mkdirSync(join(runs, "no-run"), { recursive: true });
    expect(await report("no-run")).toEqual({
      code: 2,
      stdout: "",
      stderr: `error: Expected a run in ${runs} but found no 'no-run': there are none yet\n`,
    });
    const path = madeRun(runs);
    expect((await report("mode-001")).stderr).toContain("the nearest are made-001");
    expect((await report("1", "--out", runs)).stderr).toBe(`error: Expected a file for --out but found the folder ${runs}\n`);
    writeFileSync(join(folder.path, "file"), "");
    const blocked = await report("1", "--out", join(folder.path, "file", "x.html"));
    expect(blocked).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: Expected a place that can be written at .*\n$/) });
    writeFileSync(join(path, "metrics.jsonl"), "\u0000".repeat(40));
    expect(await report("1")).toMatchObject({
      code: 2,
      stderr: `error: Expected metrics in ${join(path, "metrics.jsonl")} but found none of its lines readable\n`,
    });
    writeFileSync(join(path, "metrics.jsonl"), "");
    expect(await report("1")).toMatchObject({ code: 0, stdout: expect.stringContaining("note     made-001: There are no metrics yet.\n") });
    writeFileSync(join(path, "config.json"), "{");
    expect(await report("1")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: .*config\.json: Expected JSON but found: .*\n$/),
    });
  });

  it("hands runs to TensorBoard, and again when they have grown", async () => {
    madeRun(runs, { name: "made-001", steps: 10 });
    madeRun(runs, { name: "made-002" });
    const boards = join(folder.path, "boards");
    for (const _ of [1, 2]) {
      const { code, stdout } = await report("1", "2", "--tensorboard", boards);
      expect({ code, lines: stdout.split("\n").length }).toEqual({ code: 0, lines: 3 });
    }
    madeRun(runs, { name: "made-001", steps: 15 });
    await report("1", "--tensorboard", boards);
    expect(readdirSync(boards).sort()).toEqual(["made-001", "made-002"]);
    expect(readdirSync(join(boards, "made-001"))).toHaveLength(1);
    const events = readEventFolder(join(boards, "made-001"));
    expect(scalarsOf(events, "loss/train").map(([step]) => step)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(scalarsOf(events, "loss/test_real").map(([step]) => step)).toEqual([5, 10, 15]);
    const times = events.filter(({ summary }) => summary?.value[0]?.tag === "loss/train").map(({ wallTime }) => wallTime);
    expect(times[0]).toBeCloseTo(Date.parse("2026-01-02T03:04:25.000Z") / 1000, 3); // the first step took 20 s
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(existsSync(join(runs, "made-001", "report.html"))).toBe(false);
  });
});
