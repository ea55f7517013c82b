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

/** A sleep that settle() asks for, and how long it has waited by then, in milliseconds. */
interface Slice {
  readonly waited: number;
  readonly timeout: number;
}

/** The sleeps in a wait of so many milliseconds, by a clock that nothing moves but them and looks at it. */
async function slices(milliseconds: number): Promise<Slice[]> {
  const found: Slice[] = [];
  let now = 0;
  let end = (): void => {};
  const work = new Promise<void>((resolve) => {
    end = resolve;
  });
  const clock = vi.spyOn(performance, "now").mockImplementation(() => {
    now += 0.05;
    return now;
  });
  const wait = vi.spyOn(Atomics, "wait").mockImplementation((_array, _index, _value, timeout) => {
    found.push({ waited: now, timeout: timeout! });
    now += timeout!;
    if (now >= milliseconds) end();
    return "timed-out";
  });
  try {
    await settle(work);
    return found;
  } finally {
    wait.mockRestore();
    clock.mockRestore();
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

  it("sleeps longer where the last waits were longer, or all much shorter, but never for long", async () => {
    const asked = (sleeps: readonly Slice[]): number[] => sleeps.map(({ timeout }) => timeout);
    for (let i = 0; i < 4; i++) await slices(5);
    const unknown = await slices(200);
    expect(asked(unknown.filter(({ waited }) => waited < 25)).filter((timeout) => timeout > 0.5).length).toBeLessThan(10); // until it has waited as long as the short ones
    for (const { waited, timeout } of unknown) if (waited > 25) expect(timeout).toBeLessThan(waited / 49);
    expect(asked(unknown).at(-1)).toBeGreaterThan(3); // it has waited for so long that a little more will not matter

    for (let i = 0; i < 3; i++) await slices(200);
    const known = await slices(200);
    expect(asked(known).filter((timeout) => timeout > 0.5).length).toBeGreaterThan(30);
    expect(Math.max(...asked(known), ...asked(await slices(2000)))).toBe(5);
    expect(new Set(asked(known.filter(({ waited }) => waited > 181)))).toEqual(new Set([0.5])); // it is nearly time
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
