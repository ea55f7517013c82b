import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Contestant, takeTurns } from "./schedule.ts";

/** Contestants that write down whose turn it was. */
function recorders(names: readonly string[], log: string[], turns = Number.POSITIVE_INFINITY): Contestant[] {
  return names.map((name) => {
    let taken = 0;
    return {
      turn: async () => {
        if (taken >= turns) return undefined;
        log.push(name);
        return ++taken;
      },
    };
  });
}

const few = fc.integer({ min: 0, max: 5 });

describe("takeTurns", () => {
  it("gives everyone one turn in every round", async () => {
    await fc.assert(
      fc.asyncProperty(few, few, async (count, rounds) => {
        const log: string[] = [];
        const names = Array.from({ length: count }, (_, i) => `engine ${i}`);
        const { times } = await takeTurns(recorders(names, log), { rounds });
        expect(log).toHaveLength(count * rounds);
        for (let round = 0; round < rounds; round++) expect(log.slice(round * count, (round + 1) * count).sort()).toEqual(names);
        expect(times).toEqual(names.map(() => Array.from({ length: rounds }, (_, i) => i + 1)));
      }),
    );
  });

  it("starts each round with another contestant", async () => {
    const log: string[] = [];
    await takeTurns(recorders(["a", "b", "c"], log), { rounds: 3 });
    expect(log.join("")).toBe("abcbcacab");
  });

  it("measures the controls before, between and after", async () => {
    const log: string[] = [];
    const { controls } = await takeTurns(recorders(["a", "b"], log), { rounds: 2, controls: recorders(["+", "-"], log) });
    expect(log.join("")).toBe("+-a+-b+-+-b+-a+-");
    expect(controls).toEqual([[[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]]]); // biome-ignore format: rounds in a line
  });

  it("goes on without one that takes no more turns", async () => {
    const log: string[] = [];
    const contestants = [...recorders(["a"], log, 1), ...recorders(["b"], log)];
    const { times } = await takeTurns(contestants, { rounds: 3 });
    expect(times).toEqual([[1], [1, 2, 3]]);
  });

  it("says which round it is", async () => {
    const rounds: number[] = [];
    await takeTurns([], { rounds: 2, onRound: (round) => rounds.push(round) });
    expect(rounds).toEqual([0, 1]);
  });
});
