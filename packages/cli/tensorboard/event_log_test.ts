import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/mini.ts";
import { EventLog, exportEvents, type LogEntry } from "./event_log.ts";
import { histogramOf } from "./histogram.ts";
import { readEventFile, readEventFolder, scalarsOf } from "./testing/read_events.ts";

/** What a run measures at a step: a loss at each, a test loss at every third. */
function measured(step: number): LogEntry[] {
  const entry = (tag: string, scalar: number): LogEntry => ({ step, wallTime: 1000 + step, values: [{ tag, scalar }] });
  return [entry("loss", 1 / step), ...(step % 3 === 0 ? [entry("test", step)] : [])];
}

const upTo = (step: number): LogEntry[] => Array.from({ length: step }, (_, i) => measured(i + 1)).flat();
const steps = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const lastFile = (folder: string): string => join(folder, readdirSync(folder).sort().at(-1)!);

describe("EventLog", () => {
  it("has each value once, in order, wherever it was cut off, torn or damaged, and taken up again", async () => {
    const part = fc.record({
      taken: fc.integer({ min: 1, max: 7 }),
      lost: fc.integer({ min: 0, max: 6 }),
      torn: fc.uint8Array({ maxLength: 30 }),
      damage: fc.option(fc.nat(), { nil: undefined, freq: 4 }),
      cut: fc.option(fc.nat(), { nil: undefined, freq: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), async (parts) => {
        using parent = temporaryFolder();
        const folder = join(parent.path, "tensorboard");
        let saved = 0;
        for (const { taken, lost, torn, damage, cut } of parts) {
          const log = await EventLog.open(folder, { step: saved, expected: upTo(saved) });
          for (let step = saved + 1; step <= saved + taken; step++) for (const entry of measured(step)) await log.append(entry);
          await log.sync();
          await log.close();
          const file = lastFile(folder);
          if (cut !== undefined) truncateSync(file, cut % statSync(file).size);
          appendFileSync(file, torn);
          if (damage !== undefined && statSync(file).size > 0) {
            const bytes = readFileSync(file);
            bytes[damage % bytes.length]! ^= 1;
            writeFileSync(file, bytes);
          }
          saved += Math.max(0, taken - lost);
        }
        const log = await EventLog.open(folder, { step: saved, expected: upTo(saved) });
        await log.close();
        const events = readEventFolder(folder); // to the last byte of every file
        expect(scalarsOf(events, "loss")).toEqual(steps(saved).map((step) => [step, Math.fround(1 / step)]));
        expect(scalarsOf(events, "test")).toEqual(
          steps(saved)
            .filter((step) => step % 3 === 0)
            .map((step) => [step, step]),
        );
        for (const name of readdirSync(folder)) {
          const [first, second] = readEventFile(readFileSync(join(folder, name)));
          expect(first).toMatchObject({ fileVersion: "brain.Event:2" });
          if (name === readdirSync(folder).sort().at(-1))
            expect(second).toMatchObject({ step: saved + 1, sessionLog: { status: "START" } });
        }
      }),
      { numRuns: 40 },
    );
  });

  it("keeps what no metrics have, histograms, up to the step, and writes none twice", async () => {
    using parent = temporaryFolder();
    const folder = join(parent.path, "tensorboard");
    const spread = (step: number): LogEntry => ({
      step,
      wallTime: step,
      values: [{ tag: "weights", histogram: histogramOf(Float32Array.of(step, 1)) }],
    });
    const first = await EventLog.open(folder, { step: 0, expected: [] });
    for (const step of [2, 4, 6]) await first.append(spread(step));
    await first.close();
    const second = await EventLog.open(folder, { step: 4, expected: upTo(4) });
    for (const step of [4, 6]) await second.append(spread(step));
    await second.close();
    const found = readEventFolder(folder).flatMap(({ step, summary }) => (summary?.value[0]?.tag === "weights" ? [step] : []));
    expect(found).toEqual([2, 4, 6]);
    expect(readdirSync(folder)).toHaveLength(1); // what was missing is in the middle, so all moved to one file
  });

  it("leaves the files of earlier starts as they are where nothing of them is void", async () => {
    using parent = temporaryFolder();
    const folder = join(parent.path, "tensorboard");
    const first = await EventLog.open(folder, { step: 0, expected: [] });
    for (const entry of upTo(5)) await first.append(entry);
    await first.close();
    const [name] = readdirSync(folder);
    const before = readFileSync(join(folder, name!));
    const second = await EventLog.open(folder, { step: 5, expected: upTo(5) });
    await second.close();
    expect(readFileSync(join(folder, name!)).equals(before)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual([name, expect.stringMatching(/^events\.out\.tfevents\.\d{10}\.cursive\.0002$/)]);
  });
});

describe("exportEvents()", () => {
  it("makes one file of all, in place of the one that it wrote before", async () => {
    using parent = temporaryFolder();
    const [from, to] = [join(parent.path, "from"), join(parent.path, "to")];
    const log = await EventLog.open(from, { step: 0, expected: [] });
    await log.append({ step: 3, wallTime: 0, values: [{ tag: "weights", histogram: histogramOf(Float32Array.of(1, 2)) }] });
    await log.close();
    await exportEvents(to, { from, step: 9, expected: upTo(6) });
    const path = await exportEvents(to, { from, step: 9, expected: upTo(9) });
    expect(readdirSync(to).map((name) => join(to, name))).toEqual([path]);
    const events = readEventFolder(to);
    expect(scalarsOf(events, "loss").map(([step]) => step)).toEqual(steps(9));
    expect(events.filter(({ summary }) => summary?.value[0]?.tag === "weights").map(({ step }) => step)).toEqual([3]);
    expect(events.map(({ step }) => step)).toEqual(events.map(({ step }) => step).sort((a, b) => a - b));
  });
});
