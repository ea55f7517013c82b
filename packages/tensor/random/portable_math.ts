/**
 * Elementary functions with the same last bit everywhere. ECMAScript leaves that of `Math.sin`, `cos`, `exp`, `log`, `atan2`, `hypot` and
 * `**` to the engine, and they differ between Node, Deno and Bun, some even between Node 20 and 24. Here there are only additions,
 * multiplications, divisions and powers of two, which IEEE 754 rounds in one way: series after a reduction of the argument, within
 * two units in the last place.
 *
 * Random draws and training data go through these, so that equal seeds give equal data in every runtime.
 */

// Each constant in two or three parts, the first ones short: small whole multiples of these are exact (W. Cody and W. Waite 1980).
const halfPi = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21] as const;
const ln2 = [0.6931471806019545, -4.2009150726810846e-11] as const;
const piRest = 1.2246467991473532e-16; // π - Math.PI

/** atan(k/8) for k from 0 to 8. */
const arcTangents = [
  0, 0.12435499454676144, 0.24497866312686414, 0.35877067027057225, 0.4636476090008061, 0.5585993153435624, 0.6435011087932844,
  0.7188299996216245, 0.7853981633974483,
] as const;

/** Largest argument of sine and cosine: beyond, the reduction would lose bits. */
const largestAngle = 2 ** 20;

/** Reciprocals of a series' denominators, from the highest power down, for {@link horner}. */
const seriesOf = (count: number, denominator: (k: number) => number): readonly number[] =>
  Array.from({ length: count }, (_, k) => 1 / denominator(count - 1 - k));
const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
const sineSeries = seriesOf(9, (k) => (k % 2 === 0 ? -1 : 1) * factorial(2 * k + 3)); // of (sin x - x) / x³ in x²
const cosineSeries = seriesOf(9, (k) => (k % 2 === 0 ? 1 : -1) * factorial(2 * k + 4)); // of (cos x - 1 + x²/2) / x⁴ in x²
const exponentialSeries = seriesOf(14, (k) => factorial(k + 2)); // of (eˣ - 1 - x) / x² in x
const logarithmSeries = seriesOf(11, (k) => 2 * k + 3); // of (artanh x - x) / x³ in x²
const arcTangentSeries = seriesOf(7, (k) => (k % 2 === 0 ? -1 : 1) * (2 * k + 3)); // of (atan x - x) / x³ in x²

function horner(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (let k = 0; k < coefficients.length; k++) sum = sum * x + coefficients[k]!;
  return sum;
}

const bits = new DataView(new ArrayBuffer(8));

/** 2ⁿ for n from -1022 to 1023. */
function powerOfTwo(n: number): number {
  bits.setUint32(0, (n + 1023) * 2 ** 20);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}

/**
 * Sine of an angle in radians.
 * @throws {RangeError} beyond ±2²⁰.
 * @example
 * ```ts
 * portableSin(1); // 0.8414709848078965 in every engine
 * ```
 */
export function portableSin(x: number): number {
  return quarterTurns(x, 0);
}

/** Cosine of an angle in radians. @throws {RangeError} beyond ±2²⁰. */
export function portableCos(x: number): number {
  return quarterTurns(x, 1);
}

/** sin(x + ahead·π/2). */
function quarterTurns(x: number, ahead: number): number {
  if (!(Math.abs(x) <= largestAngle)) throw new RangeError(`Expected an angle within ±2^20 but found ${x}`);
  const turns = Math.round(x / Math.PI + x / Math.PI);
  const first = x - turns * halfPi[0];
  const [second, third] = [turns * halfPi[1], turns * halfPi[2]];
  const almost = first - second;
  const near = almost - third;
  const rest = first - almost - second + (almost - near - third); // what `near` has no bits for
  const quadrant = (((turns + ahead) % 4) + 4) % 4;
  const value = quadrant % 2 === 0 ? sineNearZero(near, rest) : cosineNearZero(near, rest);
  return quadrant < 2 ? value : -value;
}

/** sin(x + rest) for |x| up to π/4. */
function sineNearZero(x: number, rest: number): number {
  const square = x * x;
  return x + (x * square * horner(sineSeries, square) + rest);
}

/** cos(x + rest) for |x| up to π/4. */
function cosineNearZero(x: number, rest: number): number {
  const square = x * x;
  const half = 0.5 * square;
  const value = 1 - half;
  return value + (1 - value - half + (square * square * horner(cosineSeries, square) - x * rest));
}

/**
 * The angle of (x, y) in radians from -π to π, signed zeros as in `Math.atan2`. NaN unless both are finite.
 *
 * @example
 * ```ts
 * portableAtan2(1, -1); // 2.356194490192345
 * ```
 */
export function portableAtan2(y: number, x: number): number {
  if (!Number.isFinite(x) || !Number.isFinite(y)) return Number.NaN;
  const [across, up] = [Math.abs(x), Math.abs(y)];
  const isSteep = up > across;
  const larger = isSteep ? up : across;
  const angle = larger === 0 ? 0 : arcTangent((isSteep ? across : up) / larger); // 0 to π/4, from the nearer axis
  const fromRight = isSteep ? Math.PI / 2 - (angle - piRest / 2) : angle;
  const isLeft = x < 0 || Object.is(x, -0);
  const turned = isLeft ? (isSteep ? Math.PI / 2 + (angle + piRest / 2) : Math.PI - (angle - piRest)) : fromRight;
  return y < 0 || Object.is(y, -0) ? -turned : turned;
}

/** The arc tangent of a number from 0 to 1. */
function arcTangent(x: number): number {
  const nearest = Math.round(8 * x);
  const rest = (8 * x - nearest) / (8 + nearest * x); // atan x = atan(nearest/8) + atan(rest)
  const square = rest * rest;
  return arcTangents[nearest]! + (rest + rest * square * horner(arcTangentSeries, square));
}

/** e to the power of x. */
export function portableExp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.79) return Number.POSITIVE_INFINITY;
  if (x < -745.14) return 0;
  const twos = Math.round(x / (ln2[0] + ln2[1]));
  const high = x - twos * ln2[0];
  const low = twos * ln2[1];
  const near = high - low;
  const rest = high - near - low;
  const value = 1 + (near + (near * near * horner(exponentialSeries, near) + rest));
  const half = Math.trunc(twos / 2); // 2^1024 is not a number, half of it twice is
  return value * powerOfTwo(half) * powerOfTwo(twos - half);
}

/** The natural logarithm; -Infinity at 0, NaN below. */
export function portableLog(x: number): number {
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (!(x > 0) || x === Number.POSITIVE_INFINITY) return x > 0 ? x : Number.NaN;
  const isTiny = x < 2 ** -1022;
  bits.setFloat64(0, isTiny ? x * 2 ** 54 : x);
  const head = bits.getUint32(0);
  let twos = (head >>> 20) - 1023 - (isTiny ? 54 : 0);
  bits.setUint32(0, (head & 0xfffff) | (1023 << 20));
  let mantissa = bits.getFloat64(0); // 1 to 2
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    twos++;
  }
  const over = mantissa - 1; // log(1 + over) = 2 artanh(share) = over - share·over + 2·(artanh(share) - share)
  const share = over / (2 + over);
  const square = share * share;
  const curve = 2 * share * square * horner(logarithmSeries, square);
  return twos * ln2[0] + (over - (share * over - (curve + twos * ln2[1])));
}
