import { createRng, type HostTensor } from "@cursive/tensor";

/** A dictionary that activations are made from, so that what an autoencoder should find is known. */
export interface SparseDictionary {
  /** Unit directions `[count, width]`. */
  readonly directions: Float32Array;
  /** A stream of batches `[rows, width]`, without end. */
  batches(rows: number): AsyncGenerator<HostTensor>;
}

/**
 * Activations that are sparse sums of known directions: each of `count` random unit directions is in a row with the probability
 * `active / count`, with a strength in [0.5, 1.5).
 *
 * @example
 * ```ts
 * const truth = sparseDictionary({ count: 24, width: 16, active: 2, seed: 1 });
 * const trainer = new SaeTrainer(sae, { stream: truth.batches(256), totalSteps: 1000 });
 * ```
 */
export function sparseDictionary(about: {
  readonly count: number;
  readonly width: number;
  readonly active: number;
  readonly seed: number;
  /** Added to every row. Default none. */
  readonly offset?: number;
}): SparseDictionary {
  const { count, width, active, seed, offset = 0 } = about;
  const rng = createRng(seed, "dictionary");
  const directions = new Float32Array(count * width);
  for (let r = 0; r < count; r++) {
    const row = Array.from({ length: width }, () => rng.normal());
    const norm = Math.hypot(...row);
    directions.set(
      row.map((v) => v / norm),
      r * width,
    );
  }
  return {
    directions,
    async *batches(rows) {
      for (let batch = 0; ; batch++) {
        const draw = createRng(seed, "rows", batch);
        const data = new Float32Array(rows * width).fill(offset);
        for (let r = 0; r < rows; r++) {
          for (let f = 0; f < count; f++) {
            if (draw.uniform() >= active / count) continue;
            const strength = draw.uniform(0.5, 1.5);
            for (let d = 0; d < width; d++) data[r * width + d]! += strength * directions[f * width + d]!;
          }
        }
        yield { shape: [rows, width], dtype: "f32", data };
      }
    },
  };
}
