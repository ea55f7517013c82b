import { type Split, type TargetBatch, targetBatches, type WordDataset } from "@cursive/cursive-model";

/** Draws a text may take before one that was there already is taken. */
const TRIES = 8;

/**
 * A number of sequences of a split, one a batch, of different texts as long as the split has some: batches as they come repeat words, of
 * which examples would show one hand's variations instead of different words. Texts repeat where too few are left.
 *
 * @example
 * ```ts
 * const batches = distinctSequences(dataset, { split: "test", count: 256 });
 * ```
 */
export function distinctSequences(
  dataset: WordDataset,
  { split, count }: { readonly split: Split; readonly count: number },
): (batch: number) => TargetBatch | undefined {
  const draw = targetBatches(dataset, { split, batches: Number.POSITIVE_INFINITY, batchSize: 1 });
  const steps: number[] = []; // which draw each sequence is
  const seen = new Set<string>();
  let next = 0;
  const choose = (): number => {
    const first = next;
    for (let tries = 0; tries < TRIES; tries++) {
      const step = next++;
      const text = draw(step)!.context.data.join();
      if (seen.has(text)) continue;
      seen.add(text);
      return step;
    }
    return first;
  };
  return (batch) => {
    if (batch >= count) return undefined;
    while (steps.length <= batch) steps.push(choose());
    return draw(steps[batch]!);
  };
}
