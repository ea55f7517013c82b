/** Attention of one head: who looks, and where. Each row sums to 1. */
export interface AttentionMap {
  /** `[rows, keys]`, flat. */
  readonly weights: ArrayLike<number>;
  /** Queries: stroke tokens, in the order of writing. */
  readonly rows: number;
  /** What is looked at: characters, or stroke tokens. */
  readonly keys: number;
  /** How many of the keys, from the first, are no padding. */
  readonly real: number;
}

/** What one head's attention is like. Of figures that cannot be told there is NaN. */
export interface AttentionScores {
  /** How strictly attention moves on as the ink does, from 1 over 0 (no trend) to −1; see {@linkcode diagonality}. */
  readonly diagonality: number;
  /** Mean entropy of a row, in bits: 0 looks at one place, log₂ of the keys at all alike. Padding counts. */
  readonly entropy: number;
  /** Share of attention on padding. */
  readonly padMass: number;
  /** Share on the first place: of self-attention, where heads park that have nothing to do. */
  readonly firstMass: number;
}

/**
 * The figures of one map.
 *
 * @example
 * ```ts
 * attentionScores({ weights: [1, 0, 0, 1], rows: 2, keys: 2, real: 2 }); // diagonality 1, entropy 0, padMass 0, firstMass 0.5
 * ```
 * @throws {RangeError} unless there are `rows` times `keys` weights, and as many keys as are real.
 */
export function attentionScores(map: AttentionMap): AttentionScores {
  const { weights, rows, keys, real } = map;
  if (weights.length !== rows * keys || real < 0 || real > keys)
    throw new RangeError(`Expected ${rows} × ${keys} weights, ${real} of a row real, but found ${weights.length}`);
  let [entropy, pad, first] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    first += weights[row * keys] ?? 0;
    for (let key = 0; key < keys; key++) {
      const weight = weights[row * keys + key]!;
      if (weight > 0) entropy -= weight * Math.log2(weight);
      if (key >= real) pad += weight;
    }
  }
  return { diagonality: diagonality(map), entropy: entropy / rows, padMass: pad / rows, firstMass: first / rows };
}

/**
 * How strictly later ink looks at later places: Stuart's τ_c of row and key, over pairs of (row, key) that are drawn by their attention
 * (A. Stuart, "The Estimation and Comparison of Strengths of Association in Contingency Tables", Biometrika 40, 1953). With a the weights on
 * real keys as shares of their sum, m the smaller of rows and real keys, and sums over pairs of which the second row is the later one,
 *
 *     τ_c = 2 m / (m − 1) · (Σ a a′ [key′ > key] − Σ a a′ [key′ < key])
 *
 * 1 for a diagonal, and for a staircase whose steps are equally long; 0 where no row looks otherwise than the last, be it at one letter or
 * at all of them alike; −1 backwards. Even attention to all earlier places, which causality alone brings about, has 0.5 in the limit. Padding
 * is left out: see `padMass` for what then remains. NaN for fewer than two rows or real keys, or nothing on them.
 */
export function diagonality({ weights, rows, keys, real }: AttentionMap): number {
  const least = Math.min(rows, real);
  const before = new Float64Array(real); // what earlier rows put on each key
  let [total, trend] = [0, 0];
  for (let row = 0; row < rows; row++) {
    let [below, above] = [0, before.reduce((a, b) => a + b, 0)];
    for (let key = 0; key < real; key++) {
      const weight = weights[row * keys + key]!;
      above -= before[key]!;
      trend += weight * (below - above);
      below += before[key]!;
    }
    for (let key = 0; key < real; key++) {
      before[key]! += weights[row * keys + key]!;
      total += weights[row * keys + key]!;
    }
  }
  return least < 2 || !(total > 0) ? Number.NaN : ((2 * least) / (least - 1)) * (trend / total / total);
}

/**
 * Which letter each row writes, as far as attention tells: of all ways through the text that never go back, the one with the most attention,
 * summed over heads that are weighed by their diagonality. Letters are joined and the data do not say where one ends; this is a reading, not
 * a truth. Where no head has any trend, all of them count alike.
 *
 * @returns One key a row.
 * @throws {RangeError} without maps, or with maps of different sizes.
 */
export function readingPath(maps: readonly AttentionMap[]): Int32Array {
  const [{ rows, keys, real } = { rows: 0, keys: 0, real: 0 }] = maps;
  if (maps.length === 0 || maps.some((map) => map.rows !== rows || map.keys !== keys || map.real !== real))
    throw new RangeError("Expected attention maps of one size but found none or others");
  const trends = maps.map((map) => Math.max(0, diagonality(map)) || 0);
  const say = trends.some((trend) => trend > 0) ? trends : trends.map(() => 1);
  const attention = (row: number, key: number): number => maps.reduce((sum, map, i) => sum + say[i]! * map.weights[row * keys + key]!, 0);
  const from = new Int32Array(rows * real);
  let best = new Float64Array(real);
  for (let row = 0; row < rows; row++) {
    const next = new Float64Array(real);
    let last = 0; // the best of the keys up to this one
    for (let key = 0; key < real; key++) {
      if (best[key]! > best[last]!) last = key;
      from[row * real + key] = last;
      next[key] = best[last]! + attention(row, key);
    }
    best = next;
  }
  const path = new Int32Array(rows);
  let key = best.indexOf(best.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY));
  for (let row = rows - 1; row >= 0; row--) {
    path[row] = key;
    key = from[row * real + key]!;
  }
  return path;
}

/** Mean share of attention that the rows put on a path's key. */
export function pathMass({ weights, rows, keys }: AttentionMap, path: ArrayLike<number>): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += weights[row * keys + path[row]!]!;
  return sum / rows;
}
