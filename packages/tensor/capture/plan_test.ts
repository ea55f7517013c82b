import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { liveCommands, type PlanStep, planMemory } from "./plan.ts";

/** Random straight-line programs: each step reads temporaries that exist and writes a new one, or one that exists again. */
const program: fc.Arbitrary<{ steps: PlanStep[]; bytes: number[] }> = fc
  .array(
    fc.record({
      reads: fc.array(fc.nat(), { maxLength: 3 }),
      again: fc.boolean(),
      target: fc.nat(),
      bytes: fc.integer({ min: 1, max: 64 }),
    }),
    {
      minLength: 1,
      maxLength: 40,
    },
  )
  .map((draws) => {
    const bytes: number[] = [];
    const steps = draws.map((d): PlanStep => {
      const existing = bytes.length;
      const reads = existing ? [...new Set(d.reads.map((r) => r % existing))] : [];
      const reused = d.again && existing > 0 ? d.target % existing : undefined;
      const write = reused !== undefined && !reads.includes(reused) ? reused : bytes.push(16 * d.bytes) - 1;
      return { reads, writes: [write] };
    });
    return { steps, bytes };
  });

/** Runs a program on slots: every read must find what the temporary's own last writer left there. */
function runsRight(steps: readonly PlanStep[], slotOf: ReadonlyMap<number, number>): boolean {
  const slots = new Map<number, string>();
  const own = new Map<number, string>();
  return steps.every(({ reads, writes }, i) => {
    const right = reads.every((id) => slots.get(slotOf.get(id)!) === own.get(id));
    const apart = writes.every((w) => reads.every((r) => slotOf.get(r) !== slotOf.get(w)));
    for (const id of writes) {
      own.set(id, `${id}@${i}`);
      slots.set(slotOf.get(id)!, `${id}@${i}`);
    }
    return right && apart;
  });
}

describe("planMemory()", () => {
  it("keeps every temporary intact until its last use, never shares a slot between a step's operands and results, and makes slots large enough", () => {
    fc.assert(
      fc.property(program, ({ steps, bytes }) => {
        const plan = planMemory(steps, (id) => bytes[id]!);
        expect(runsRight(steps, plan.slotOf)).toBe(true);
        for (const [id, slot] of plan.slotOf) expect(plan.slotBytes[slot]).toBeGreaterThanOrEqual(bytes[id]!);
      }),
    );
  });

  it("needs no more memory than one buffer a temporary, and two buffers for a chain", () => {
    fc.assert(
      fc.property(program, ({ steps, bytes }) => {
        const plan = planMemory(steps, (id) => bytes[id]!);
        expect(plan.slotBytes.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(bytes.reduce((a, b) => a + b, 0));
      }),
    );
    const chain = Array.from({ length: 20 }, (_, i): PlanStep => ({ reads: i ? [i - 1] : [], writes: [i] }));
    expect(planMemory(chain, () => 64).slotBytes).toEqual([64, 64]);
  });

  it("gives a small temporary that lives long no large slot", () => {
    const [large, small] = [1 << 20, 16];
    const bytes = [large, small, large, large];
    const steps = [
      { reads: [], writes: [0] },
      { reads: [0], writes: [] },
      { reads: [], writes: [1] },
      { reads: [], writes: [2] },
      { reads: [2], writes: [] },
      { reads: [], writes: [3] },
      { reads: [3, 1], writes: [] },
    ];
    const { slotBytes } = planMemory(steps, (id) => bytes[id]!);
    expect(slotBytes.toSorted((a, b) => a - b)).toEqual([small, large]);
  });

  it("is caught by this test when slots are freed one step early", () => {
    const steps: PlanStep[] = [
      { reads: [], writes: [0] },
      { reads: [0], writes: [1] },
      { reads: [0, 1], writes: [2] },
    ];
    const broken = new Map([
      [0, 0],
      [1, 0],
      [2, 1],
    ]);
    expect(runsRight(steps, broken)).toBe(false);
  });
});

describe("liveCommands()", () => {
  it("keeps what a lasting result depends on, and only that", () => {
    const steps: PlanStep[] = [
      { reads: [], writes: [0] },
      { reads: [0], writes: [1] }, // nobody reads 1
      { reads: [0], writes: [2] },
      { reads: [2], writes: [] }, // writes something that lasts
    ];
    expect(liveCommands(steps, (i) => i === 3)).toEqual([true, false, true, true]);
  });

  it("keeps exactly the commands without which a lasting command would read something else", () => {
    fc.assert(
      fc.property(program, fc.nat(), ({ steps }, pick) => {
        const last = pick % steps.length;
        const live = liveCommands(steps, (i) => i === last);
        const trace = (kept: (i: number) => boolean): string => {
          const value = new Map<number, string>();
          let seen = "";
          steps.forEach((s, i) => {
            if (!kept(i)) return;
            const result = `${i}(${s.reads.map((r) => value.get(r) ?? "?").join()})`;
            // a write may be partial: what was there shows through
            for (const w of s.writes) value.set(w, `${result}|${value.get(w) ?? ""}`);
            if (i === last) seen = result;
          });
          return seen;
        };
        expect(trace((i) => live[i]!)).toBe(trace(() => true));
        expect(live[last]).toBe(true);
      }),
    );
  });
});
