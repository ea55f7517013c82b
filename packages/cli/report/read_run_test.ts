import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { madeRun } from "../testing/made_run.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { type ReportedRun, readRunForReport } from "./read_run.ts";

const read = (path: string): Promise<ReportedRun> => readRunForReport({ name: "made-001", path, number: 1 });

describe("readRunForReport()", () => {
  it("reads curves, changes and sheets", async () => {
    using parent = temporaryFolder();
    const run = await read(madeRun(parent.path));
    expect(run.steps).toMatchObject({ count: 20, bucket: 1 });
    expect(run.evaluations.step).toEqual([5, 10, 15, 20]);
    expect(run.evaluations.seconds.at(-1)).toBe(run.steps.seconds.at(-1));
    expect(run.samples.map(({ step }) => step)).toEqual([5, 10, 15, 20]);
    expect(run.changes).toContainEqual({ path: "steps", preset: 3000, value: 20 });
    expect(run.changes.map(({ path }) => path)).not.toContain("seed");
    expect(run.warnings).toEqual([]);
  });

  it("warns of what happened to the run, in words", async () => {
    using parent = temporaryFolder();
    const resumed = [
      { at: "2026-01-02T03:30:00.000Z", step: 8, node: "", adapter: "an adapter", commit: null },
      { at: "2026-01-02T03:40:00.000Z", step: 9, node: "", adapter: "another <b>", commit: null },
    ];
    const cases = [
      {
        status: { state: "failed", message: "Expected room on the disk but found it full" },
        says: "The run failed: Expected room on the disk but found it full.",
      },
      { status: { state: "interrupted", step: 7 }, says: "The run was interrupted at step 7." },
      { status: { state: "running", step: 7 }, says: "The process was killed; step 7 is saved, train --resume goes on from it." },
    ] as const;
    for (const [i, { status, says }] of cases.entries()) {
      const { warnings } = await read(madeRun(parent.path, { name: `made-00${i}`, status, environment: { resumed } }));
      expect(warnings).toEqual([
        says,
        "Resumed from step 8 on 2026-01-02 03:30 UTC.",
        "Resumed from step 9 on 2026-01-02 03:40 UTC on another adapter, another <b>.",
      ]);
    }
  });

  it("tells of damaged metrics, and draws what is left", async () => {
    using parent = temporaryFolder();
    const path = madeRun(parent.path);
    const file = join(path, "metrics.jsonl");
    const lines = readFileSync(file, "utf8").split("\n");
    lines[3] = '{"step":4,"loss":null,"lr":0.01,"milliseconds":50,"tokensPerSecond":640}';
    lines[7] = "\u0000\u0000 torn";
    writeFileSync(file, lines.join("\n"));
    appendFileSync(file, '{"step":21,"lo');
    const { warnings, steps } = await read(path);
    expect(warnings).toEqual([
      "1 row has a loss that is no number, first at step 4.",
      "2 lines of metrics.jsonl could not be read and are left out.",
      "Expected metrics of step 7 but found step 8: steps are missing or out of order.",
    ]);
    expect(steps.count).toBe(19);
    expect(steps.loss.mean[3]).toBeNull();
  });

  it("reads a run without metrics, pictures or environment, and refuses one whose configuration is damaged", async () => {
    using parent = temporaryFolder();
    const path = madeRun(parent.path, { steps: 1 });
    writeFileSync(join(path, "metrics.jsonl"), "");
    writeFileSync(join(path, "env.json"), "{");
    expect(await read(path)).toMatchObject({
      environment: undefined,
      warnings: ["There are no metrics yet."],
      samples: [],
      sampleCount: 0,
    });
    writeFileSync(join(path, "config.json"), "{");
    await expect(read(path)).rejects.toThrow(UsageError);
  });

  it("shows at most sixty sheets, the first and the last among them", async () => {
    using parent = temporaryFolder();
    const { samples, sampleCount } = await read(madeRun(parent.path, { steps: 200, evaluateEvery: 1 }));
    expect(sampleCount).toBe(200);
    expect(samples.length).toBeLessThanOrEqual(60);
    expect([samples[0]!.step, samples.at(-1)!.step]).toEqual([1, 200]);
  });
});
