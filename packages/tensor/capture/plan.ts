/**
 * Memory planning as pure data: which temporaries of a captured step may share memory. Knows nothing of the GPU, so that it can be tested
 * against a simple model.
 */

/** One command's use of temporaries, by id. Storages that outlive the step are not mentioned. */
export interface PlanStep {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** Where every temporary goes. */
export interface MemoryPlan {
  /** Slot of each temporary. */
  readonly slotOf: ReadonlyMap<number, number>;
  /** Size of each slot in bytes. */
  readonly slotBytes: readonly number[];
}

/**
 * Which commands matter: those that write something that outlives the step or is read later. The others' results are never used.
 * `isLasting(index)` tells whether a command writes a storage that outlives the step or is returned.
 */
export function liveCommands(steps: readonly PlanStep[], isLasting: (index: number) => boolean): boolean[] {
  const needed = new Set<number>();
  const live = new Array<boolean>(steps.length).fill(false);
  for (let i = steps.length - 1; i >= 0; i--) {
    const { reads, writes } = steps[i]!;
    if (!isLasting(i) && !writes.some((id) => needed.has(id))) continue;
    live[i] = true;
    for (const id of [...reads, ...writes]) needed.add(id); // a write may be partial, so what was there before counts too
  }
  return live;
}

/**
 * Assigns temporaries to slots by a linear scan: a slot is free again after the last command that touches its temporary. A command's
 * results never share a slot with its operands, for WebGPU forbids one buffer bound for reading and writing at once. Prefers the smallest
 * free slot that fits, else grows the largest free one; but a small temporary does not take a large slot, which it might hold for long.
 */
export function planMemory(steps: readonly PlanStep[], bytesOf: (id: number) => number): MemoryPlan {
  const last = new Map<number, number>();
  steps.forEach(({ reads, writes }, i) => {
    for (const id of [...reads, ...writes]) last.set(id, i);
  });
  const slotOf = new Map<number, number>();
  const slotBytes: number[] = [];
  let free: number[] = [];
  steps.forEach(({ reads, writes }, i) => {
    const touched = new Set([...reads, ...writes]);
    for (const id of touched) {
      if (slotOf.has(id)) continue;
      const bytes = bytesOf(id);
      const slot = bestFit(free, { slotBytes, bytes }) ?? slotBytes.push(0) - 1;
      free = free.filter((s) => s !== slot);
      slotBytes[slot] = Math.max(slotBytes[slot]!, bytes);
      slotOf.set(id, slot);
    }
    for (const id of touched) if (last.get(id) === i) free.push(slotOf.get(id)!);
  });
  return { slotOf, slotBytes };
}

/** Slots up to this may go to anybody. */
const SMALL_SLOT = 4 << 10;
/** How many times its size a temporary's slot may have. */
const MOST_WASTE = 16;

function bestFit(free: readonly number[], { slotBytes, bytes }: { slotBytes: readonly number[]; bytes: number }): number | undefined {
  let best: number | undefined;
  for (const slot of free) {
    const size = slotBytes[slot]!;
    if (size > Math.max(SMALL_SLOT, MOST_WASTE * bytes)) continue;
    const bestSize = best === undefined ? -1 : slotBytes[best]!;
    const better = size >= bytes ? bestSize < bytes || size < bestSize : bestSize < bytes && size > bestSize;
    if (best === undefined || better) best = slot;
  }
  return best;
}
