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

/** The f32 bits of a bfloat16: its upper half. */
export function widenBfloat16(bits: number): number {
  return (bits << 16) >>> 0;
}
