// Whether two runtimes trained alike.

/**
 * The most by which a loss may differ, as a part of it: 16 units in the last place of a float32. Runtimes that use the same kernels on the
 * same driver give the same bits, as far as was seen (Chromium's Tint, Dawn's Tint and wgpu's Naga). But a compiler may fuse a product and a
 * sum, and a driver may have other ulps; other orders of summation altogether (panels against tiles against plain loops, SwiftShader against
 * lavapipe) moved these losses by two units. A kernel that computes something else moves them by thousands.
 */
const TOLERANCE = 16 * 2 ** -23;

/**
 * Compares the losses of equal runs, step by step.
 *
 * @param {readonly number[]} losses
 * @param {readonly number[]} expected
 * @returns {{ problem: string | undefined, equal: boolean }} the first step that is off; whether all bits are equal
 */
export function compareLosses(losses, expected) {
  const equal = losses.length === expected.length && losses.every((loss, i) => Object.is(loss, expected[i]));
  if (losses.length !== expected.length) return { problem: `Expected ${expected.length} losses but found ${losses.length}`, equal };
  for (const [i, loss] of losses.entries()) {
    const wanted = expected[i] ?? Number.NaN;
    // NaN fails every comparison.
    if (!(Math.abs(loss - wanted) <= TOLERANCE * Math.abs(wanted))) {
      return { problem: `Expected a loss of ${wanted} at step ${i + 1} but found ${loss}`, equal };
    }
  }
  return { problem: undefined, equal };
}
