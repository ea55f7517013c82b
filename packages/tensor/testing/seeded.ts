/** Numbers from a seed: what cases are made of, without fast-check. */
import { createRng, philoxKey, philoxNormals, philoxUniforms } from "../random/philox.ts";
import { countOf, map, type Nd, nd } from "./nd.ts";

/**
 * Kinds of numbers. "normal": standard normals; "uniform": in [−1, 1); "positive": in [2⁻⁴, 2⁴), for logarithms and divisors; "integers": whole
 * numbers from −8 to 8, whose sums are exact and whose maxima tie; "adversarial": every row of the last axis of a nasty sort of its
 * own: both zeros among ones, huge and tiny together, all equal, all hugely negative, one huge among zeros.
 */
export type ValueKind = "normal" | "uniform" | "positive" | "integers" | "adversarial";

const nastyRows: readonly ((normal: number, place: number, length: number) => number)[] = [
  (x) => x,
  (x) => (Math.abs(x) < 0.5 ? 0 : Math.abs(x) < 1 ? -0 : Math.sign(x)),
  (x) => x * (Math.abs(x) < 1 ? 1e-30 : 1e30),
  () => 0.1,
  (x) => -1e30 * (1 + Math.abs(x)),
  (_x, place, length) => (place === length >> 1 ? 1e4 : 0),
];

/** Numbers of a kind from a seed, each one that f32 holds exactly. */
export function seededValues(seed: number, shape: readonly number[], kind: ValueKind = "normal"): Nd {
  const key = philoxKey(seed, "values", kind);
  const count = countOf(shape);
  if (kind === "uniform") return map(nd(shape, philoxUniforms(key, count)), (u) => 2 * u - 1);
  if (kind === "positive") return map(nd(shape, philoxUniforms(key, count)), (u) => Math.fround(2 ** (8 * u - 4)));
  if (kind === "integers") return map(nd(shape, philoxUniforms(key, count)), (u) => Math.floor(17 * u) - 8);
  const normals = map(nd(shape, philoxNormals(key, count)), Math.fround);
  if (kind === "normal") return normals;
  const length = shape.at(-1) ?? 1;
  const rng = createRng(seed, "rows");
  const rows = Array.from({ length: count / length || 0 }, () => nastyRows[rng.integer(nastyRows.length)]!);
  return nd(
    shape,
    normals.data.map((x, i) => Math.fround(rows[Math.floor(i / length)]!(x, i % length, length))),
  );
}

/** Whole numbers in [0, n) from a seed: indices, targets. */
export function seededIndices(seed: number, shape: readonly number[], n: number): Nd {
  const rng = createRng(seed, "indices");
  return nd(
    shape,
    Array.from({ length: countOf(shape) }, () => rng.integer(n)),
  );
}
