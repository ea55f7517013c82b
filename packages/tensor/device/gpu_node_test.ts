import process from "node:process";
import { describe, expect, it } from "vitest";
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

/** Turns of the event loop while settle() waits for so many milliseconds, after the first ten, in which it spins and hurries. */
async function turns(milliseconds: number): Promise<number> {
  const start = performance.now();
  let count = 0;
  let done = false;
  const turn = (): void => {
    if (performance.now() - start > 10) count++;
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  await settle(sleep(milliseconds));
  done = true;
  return count;
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

  it("takes fewer turns where the last waits took as long, but some", async () => {
    for (let i = 0; i < 4; i++) await settle(sleep(5));
    const unknown = await turns(200);
    for (let i = 0; i < 3; i++) await settle(sleep(200));
    const known = await turns(200);
    expect(known).toBeLessThan(0.6 * unknown);
    expect(known).toBeGreaterThan(10);
  });

  it("gives what it waited for, and fails as that did", async () => {
    expect(await settle(Promise.resolve(7))).toBe(7);
    const reason = new Error("lost");
    await expect(settle(Promise.reject(reason))).rejects.toBe(reason);
  });
});
