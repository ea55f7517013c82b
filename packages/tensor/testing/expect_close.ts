import type { Nd } from "./nd.ts";

/** From here on a number rounds to infinity in f32. */
const overflow = 2 ** 128 - 2 ** 103;

/** One tolerance for all elements, or one for each. */
export type Bound = number | ArrayLike<number> | Nd;

/**
 * Checks that every element lies within its bound: |actual − expected| ≤ bound. NaN must meet NaN. An infinite actual value is right
 * where expected ± bound reaches what f32 cannot hold, on the same side; an infinite expected value needs an infinite actual one.
 *
 * @param actual f32 results.
 * @param expected float64 results of an oracle.
 * @throws {Error} if not: how many elements are outside, and the worst one's index, values, error and bound.
 * @example
 * ```ts
 * const expected = oracle.matmul(a, b);
 * expectClose(await tensor.data(), expected, dotBound(k, oracle.matmul(oracle.abs(a), oracle.abs(b))));
 * ```
 */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number> | Nd, bound: Bound): void {
  const wanted = "data" in expected ? expected.data : expected;
  const bounds = typeof bound === "number" ? undefined : "data" in bound ? bound.data : bound;
  if (actual.length !== wanted.length) throw new Error(`Expected ${wanted.length} elements but found ${actual.length}`);
  if (bounds !== undefined && bounds.length !== wanted.length) {
    throw new Error(`Expected ${wanted.length} bounds but found ${bounds.length}`);
  }
  let outside = 0;
  let worst = -1;
  let worstExcess = 0; // error over bound, above 1
  for (let i = 0; i < wanted.length; i++) {
    const allowed = bounds?.[i] ?? (bound as number);
    if (isClose(actual[i]!, wanted[i]!, allowed)) continue;
    outside++;
    const excess = Math.abs(actual[i]! - wanted[i]!) / allowed;
    if (worst < 0 || !(excess <= worstExcess)) [worst, worstExcess] = [i, excess];
    if (Number.isNaN(excess)) worstExcess = Infinity; // nothing is worse than a NaN
  }
  if (outside === 0) return;
  const place = "data" in expected ? `[${unflatten(worst, expected.shape)}]` : `${worst}`;
  const allowed = bounds?.[worst] ?? bound;
  throw new Error(
    `Expected ${wanted.length} elements within their bounds but found ${outside} outside; the worst at ${place}: ` +
      `expected ${wanted[worst]}, actual ${actual[worst]}, error ${Math.abs(actual[worst]! - wanted[worst]!)}, bound ${allowed}`,
  );
}

function isClose(actual: number, expected: number, bound: number): boolean {
  if (Number.isNaN(bound)) throw new Error("Expected a bound but found NaN");
  if (Number.isNaN(actual) || Number.isNaN(expected)) return Number.isNaN(actual) && Number.isNaN(expected);
  if (Math.abs(actual) === Infinity) return Math.sign(actual) * expected + bound >= overflow;
  return Math.abs(actual - expected) <= bound && Math.abs(expected) !== Infinity;
}

function unflatten(flat: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return index;
}

/** What {@linkcode expectAdjoint} compares. */
export interface Adjoint {
  /** J v: how the oracle's result changes along the directions. */
  derivative: Nd;
  /** u: the gradient that was put into backward, of the result's shape. */
  cotangent: { data: ArrayLike<number> };
  /** Jᵀ u: the gradients that came out, one for each input. */
  gradients: readonly { data: ArrayLike<number> }[];
  /** v: one for each input. */
  directions: readonly Nd[];
}

/**
 * Checks gradients by the adjoint identity ⟨J v, u⟩ = Σ ⟨vᵢ, gᵢ⟩: one number for the whole Jacobian, which any wrong element changes if
 * u and v are random. The two sides may differ by `tolerance` times the sum of the sizes of all their terms, as f32 gradients do that
 * are each right to that relative error.
 *
 * @throws {Error} if they differ by more.
 * @example
 * ```ts
 * const derivative = directionalDerivative(oracle.softmax, [x], [v]);
 * expectAdjoint({ derivative, cotangent: u, gradients: [gradient], directions: [v] });
 * ```
 */
export function expectAdjoint(
  { derivative, cotangent, gradients, directions }: Adjoint,
  { tolerance = 1e-5 }: { tolerance?: number } = {},
): void {
  const pairs = [[derivative, cotangent] as const, ...directions.map((v, i) => [v, gradients[i]!] as const)];
  for (const [a, b] of pairs)
    if (a.data.length !== b.data.length) throw new Error(`Expected ${a.data.length} elements but found ${b.data.length}`);
  const products = pairs.map(([a, b]) => a.data.map((value, i) => value * b.data[i]!));
  const sums = products.map((terms) => terms.reduce((sum, term) => sum + term, 0));
  const size = products.reduce((sum, terms) => sum + terms.reduce((s, term) => s + Math.abs(term), 0), 0);
  const left = sums[0]!;
  const right = sums.slice(1).reduce((sum, term) => sum + term, 0);
  if (!(Math.abs(left - right) <= tolerance * size)) {
    throw new Error(`Expected <Jv, u> = <v, Jᵀu> within ${tolerance * size} but found ${left} and ${right}`);
  }
}
