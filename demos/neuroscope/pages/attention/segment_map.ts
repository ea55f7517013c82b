import type { HeadAttention, InkSegment } from "@cursive/cursive-model";

/** Which of a movement's two tokens is asked where it looks: direction, length, or both and their mean. */
export const rowModes = ["theta", "r", "average"] as const;
/** See {@link rowModes}. */
export type RowMode = (typeof rowModes)[number];

/** One head's attention, by movements of the pen instead of tokens. */
export interface SegmentMap {
  /** Movements that look. */
  readonly segments: number;
  /** What is looked at: letters and, last, all padding; or movements. */
  readonly keys: number;
  /** `[segments, keys]`, shares that add up to 1 a row. */
  readonly shares: Float32Array;
}

/**
 * A head's map by movements. A movement of self-attention is looked at as much as its two tokens are together; padding counts together too, as
 * the last key.
 */
export function segmentMap({ attention, map }: HeadAttention, segments: readonly InkSegment[], mode: RowMode): SegmentMap {
  const { weights, keys, real } = map;
  const columns = attention === "cross_attn" ? columnsOfText(keys, real) : columnsOfInk(keys, segments);
  const count = attention === "cross_attn" ? real + 1 : segments.length;
  const shares = new Float32Array(segments.length * count);
  for (const [i, segment] of segments.entries()) {
    const rows = rowsOf(segment, mode);
    for (const row of rows)
      for (let key = 0; key < keys; key++) {
        const column = columns[key]!;
        if (column >= 0) shares[i * count + column]! += weights[row * keys + key]! / rows.length;
      }
  }
  return { segments: segments.length, keys: count, shares };
}

/**
 * A map by letters, without padding: of cross-attention the letters themselves, of self-attention the ink of each letter as `path` tells it.
 * `path` has a letter for each movement.
 */
export function letterMap(
  map: SegmentMap,
  about: { readonly path: readonly number[]; readonly letters: number; readonly isSelf: boolean },
): SegmentMap {
  const { path, letters, isSelf } = about;
  const shares = new Float32Array(map.segments * letters);
  for (let i = 0; i < map.segments; i++)
    for (let key = 0; key < map.keys; key++) {
      const letter = isSelf ? path[key]! : key;
      if (letter < letters) shares[i * letters + letter]! += map.shares[i * map.keys + key]!;
    }
  return { segments: map.segments, keys: letters, shares };
}

/** One row of a map: where a movement looks. */
export function rowOf({ shares, keys }: SegmentMap, segment: number): Float32Array {
  return shares.subarray(segment * keys, (segment + 1) * keys);
}

/** One column of a map: which movements look at a key. */
export function columnOf({ shares, keys, segments }: SegmentMap, key: number): Float32Array {
  return Float32Array.from({ length: segments }, (_, i) => shares[i * keys + key]!);
}

/** The mean row. */
export function meanRow({ shares, keys, segments }: SegmentMap): Float32Array {
  const mean = new Float32Array(keys);
  for (let i = 0; i < shares.length; i++) mean[i % keys]! += shares[i]! / segments;
  return mean;
}

function rowsOf({ thetaIndex, radiusIndex }: InkSegment, mode: RowMode): number[] {
  const wanted = mode === "theta" ? [thetaIndex] : mode === "r" ? [radiusIndex] : [thetaIndex, radiusIndex];
  return wanted.filter((index) => index !== null);
}

function columnsOfText(keys: number, real: number): number[] {
  return Array.from({ length: keys }, (_, key) => Math.min(key, real));
}

/** The movement of each token; −1 for tokens of none. */
function columnsOfInk(keys: number, segments: readonly InkSegment[]): number[] {
  const columns = new Array<number>(keys).fill(-1);
  for (const [i, { thetaIndex, radiusIndex }] of segments.entries())
    for (const token of [thetaIndex, radiusIndex]) if (token !== null) columns[token] = i;
  return columns;
}
