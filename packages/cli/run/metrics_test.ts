import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/mini.ts";
import { isEvaluation, MetricsFile, type MetricsRow, readMetrics } from "./metrics.ts";

const stepRow = (step: number): MetricsRow => ({ step, loss: 1 / step, lr: 0.01, milliseconds: 3.25, tokensPerSecond: 100 });

describe("MetricsFile", () => {
  it("keeps each step once, in order, wherever it was cut off and taken up again", async () => {
    const drawn = fc.array(fc.record({ taken: fc.integer({ min: 1, max: 5 }), lost: fc.integer({ min: 0, max: 4 }), torn: fc.string() }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(drawn, async (parts) => {
        using folder = temporaryFolder();
        const path = join(folder.path, "metrics.jsonl");
        let saved = 0;
        for (const { taken, lost, torn } of parts) {
          const file = await MetricsFile.open(path, { step: saved });
          for (let step = saved + 1; step <= saved + taken; step++) await file.append(stepRow(step));
          await file.close();
          appendFileSync(path, `{"step":${saved + taken + 1},"loss":${torn.replace(/[\n}]/g, "")}`); // a line that was being written
          saved += Math.max(0, taken - lost);
        }
        const file = await MetricsFile.open(path, { step: saved });
        await file.close();
        expect(await readMetrics(path)).toEqual(Array.from({ length: saved }, (_, i) => stepRow(i + 1)));
        expect(readFileSync(path, "utf8").split("\n")).toHaveLength(saved + 1);
      }),
      { numRuns: 20 },
    );
  });

  it("knows the evaluations, those before it was opened too", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "metrics.jsonl");
    const rows = [stepRow(1), { step: 1, testLoss: 2, testLossReal: 3 }, stepRow(2), { step: 2, testLoss: 1, testLossReal: 2 }];
    const first = await MetricsFile.open(path, { step: 0 });
    for (const row of rows) await first.append(row);
    await first.sync();
    await first.close();
    const second = await MetricsFile.open(path, { step: 1 });
    await second.close();
    expect(second.evaluations).toEqual([rows[1]]);
    expect((await readMetrics(path)).map(isEvaluation)).toEqual([false, true]);
  });
});
