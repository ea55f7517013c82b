/**
 * An IEEE 754 binary16 as a number, exactly: one sign bit, five of exponent (bias 15), ten of fraction.
 *
 * @param bits the 16 bits as an integer.
 */
export function decodeFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24; // zero and subnormals
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The bits of the nearest IEEE 754 binary16, ties to even, from 65,520 on infinity: what `float16.wgsl` gives, NaN's payload aside. */
export function encodeFloat16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65_520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.fround(size) || 2 ** -24)));
  // in units of the last place, which a number of either side of the rounding has the same bits in: 1024 of one exponent are 1 of the next
  return sign | (evenly(size * 2 ** (10 - exponent)) + 1024 * (exponent + 14));
}

/** The nearest whole number, of two as near the even one. */
function evenly(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}

/** The f32 bits of a bfloat16: its upper half. */
export function widenBfloat16(bits: number): number {
  return (bits << 16) >>> 0;
}
