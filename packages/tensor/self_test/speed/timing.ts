import type { Device } from "../../mod.ts";

/** Work that is long enough to be timed against the wait for its end. */
const WORTH_TIMING = 25;
/** However long they take: a single one may have met with another program. */
const FEWEST_RUNS = 3;

/**
 * The shortest time of a piece of GPU work in milliseconds: it is given often enough at once that the wait for its end does not count, and
 * several times, since other programs can only make it slower.
 *
 * @param budget milliseconds to spend in all, about.
 */
export async function shortestTime(device: Device, options: { readonly launch: () => void; readonly budget: number }): Promise<number> {
  const { launch, budget } = options;
  const timed = async (count: number): Promise<number> => {
    const began = performance.now();
    for (let i = 0; i < count; i++) launch();
    await device.synchronize();
    return performance.now() - began;
  };
  await timed(1); // compiles, and touches fresh memory
  const began = performance.now();
  let count = 1;
  let elapsed = await timed(count);
  while (elapsed < WORTH_TIMING && performance.now() - began < budget) {
    count *= Math.min(8, Math.max(2, Math.ceil(WORTH_TIMING / Math.max(elapsed, 1))));
    elapsed = await timed(count);
  }
  let shortest = elapsed;
  for (let runs = 1; runs < FEWEST_RUNS || performance.now() - began + elapsed < budget; runs++) {
    elapsed = await timed(count);
    shortest = Math.min(shortest, elapsed);
  }
  return shortest / count;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
