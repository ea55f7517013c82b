import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseCase } from "../cases.ts";
import { agree } from "../statistics.ts";
import { openCursive } from "./cursive.ts";
import { type Door, openDoor } from "./door.ts";

let door: Door;
const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
beforeAll(async () => {
  door = await openDoor({ isNull: false });
});
afterAll(() => {
  if (before) Object.defineProperty(globalThis, "navigator", before);
});

/** Losses of steps, or what stands for a result. */
async function results(mode: string, name: string): Promise<number[]> {
  const work = await (await openCursive({ door, mode, peers: "" })).build(parseCase(name));
  const losses: number[] = [];
  await work.prepare?.();
  for (let i = 0; i < 3; i++) losses.push(await (await work.start()).finished());
  return work.check ? [await work.check()] : losses;
}

describe("the engine at the bench's cases", () => {
  it.each(["sae:24x16", "gpt:2x12"])("trains %s to the same losses captured and eagerly", async (name) => {
    const [captured, eager] = [await results("captured", name), await results("eager", name)];
    expect(captured.every((loss, i) => agree(loss, eager[i]!))).toBe(true);
    expect(captured[2]).toBeLessThan(captured[0]!);
  });

  it("multiplies to the same result captured and eagerly", async () => {
    const [captured] = await results("captured", "matmul:8x3x5");
    const [eager] = await results("eager", "matmul:8x3x5");
    expect(captured).toBeGreaterThan(0);
    expect(agree(captured!, eager!)).toBe(true);
  });

  it.each(["token:2x40", "write:2x24"])(
    "does %s to the same end by kept keys and values and by computing everything anew",
    async (name) => {
      const [[kept], [anew]] = [await results("cached", name), await results("recomputed", name)];
      expect(kept).toBeGreaterThan(0);
      expect(agree(kept!, anew!)).toBe(true);
    },
  );

  it("takes the tokens of every turn after as many others, which are no step's work", async () => {
    const work = await (await openCursive({ door, mode: "cached", peers: "" })).build(parseCase("token:2x40"));
    const dispatches: number[] = [];
    for (let turn = 0; turn < 2; turn++) {
      await work.prepare!();
      for (let i = 0; i < 200; i++) {
        door.reset();
        await (await work.start()).finished();
        dispatches.push(door.counts.dispatches);
      }
    }
    expect(new Set(dispatches).size).toBe(1);
  });

  it("creates nothing in a captured step, and submits once", async () => {
    const work = await (await openCursive({ door, mode: "captured", peers: "" })).build(parseCase("sae:24x16"));
    await (await work.start()).finished();
    door.reset();
    await (await work.start()).finished();
    expect(door.counts).toMatchObject({ submits: 1, buffers: 0, bindGroups: 0, pipelines: 0 });
    expect(door.counts.dispatches).toBeGreaterThan(0);
  });
});
