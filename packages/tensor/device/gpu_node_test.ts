import process from "node:process";
import { describe, expect, it, vi } from "vitest";
import { settle } from "./gpu_node.ts";

/** Milliseconds of this process's time while `wait` waits for something that takes no time of the processor. */
async function processorTime(wait: (work: Promise<void>) => Promise<void>): Promise<number> {
  const start = process.cpuUsage();
  await wait(new Promise((resolve) => setTimeout(resolve, 250)));
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** What Node does while a promise of Dawn's is pending: turn after turn of the event loop. */
async function spin(work: Promise<void>): Promise<void> {
  let done = false;
  work.finally(() => {
    done = true;
  });
  while (!done) await new Promise((resolve) => setImmediate(resolve));
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The sleeps, in milliseconds, that settle() asks for while it waits for so many. How long they turn out to be is the machine's affair. */
async function sleeps(milliseconds: number, wait: (work: Promise<void>) => Promise<void> = settle): Promise<number[]> {
  const asked = vi.spyOn(Atomics, "wait");
  try {
    await wait(sleep(milliseconds));
    return asked.mock.calls.map(([, , , timeout]) => timeout!);
  } finally {
    asked.mockRestore();
  }
}

describe("settle()", () => {
  it("leaves the processor to others while it waits", async () => {
    const [polite, spinning]: [number[], number[]] = [[], []];
    for (let i = 0; i < 3; i++) {
      polite.push(await processorTime(settle));
      spinning.push(await processorTime(spin));
    }
    // The process's other threads (compilers, the collector) only add to what waiting takes, and other processes only take from spinning.
    expect(Math.min(...polite)).toBeLessThan(0.5 * Math.max(...spinning));
  });

  it("sleeps longer where the last waits were longer, but never for long", async () => {
    const isLong = (timeout: number): boolean => timeout > 0.5;
    for (let i = 0; i < 4; i++) await settle(sleep(5));
    const unknown = await sleeps(200);
    for (let i = 0; i < 3; i++) await settle(sleep(200));
    const known = (await sleeps(200)).filter(isLong);
    expect(unknown).toContain(0.5); // once it has waited for as long as the short ones took
    expect(unknown.at(-1)).toBeGreaterThan(1); // until it has waited for so long that a little more will not matter
    expect(unknown.at(-1)).toBeLessThan(5);
    expect(known.length).toBeGreaterThan(10); // of some 35, where none takes longer than asked for
    expect(Math.max(...known)).toBeLessThanOrEqual(5);
  });

  it("sleeps once in a turn of the event loop, however many wait", async () => {
    let turns = 0;
    const countTurns = async (work: Promise<void>): Promise<void> => {
      let done = false;
      const all = Promise.all([settle(work), settle(work.then(() => settle(sleep(20)))), settle(work)]).then(() => {
        done = true;
      });
      for (; !done; turns++) await new Promise((resolve) => setImmediate(resolve));
      await all;
    };
    const asked = await sleeps(30, countTurns);
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.length).toBeLessThanOrEqual(turns + 1);
  });

  it("gives what it waited for, and fails as that did", async () => {
    expect(await settle(Promise.resolve(7))).toBe(7);
    const reason = new Error("lost");
    await expect(settle(Promise.reject(reason))).rejects.toBe(reason);
  });
});
