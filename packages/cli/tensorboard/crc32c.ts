/** The polynomial of CRC-32C (Castagnoli), reflected: RFC 3720, section 12.1. */
const POLYNOMIAL = 0x82f63b78;

const table: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
  return rest;
});

/** The CRC-32C checksum of bytes. `node:zlib` has only the other polynomial's. */
export function crc32c(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) rest = table[(rest ^ bytes[i]!) & 0xff]! ^ (rest >>> 8);
  return ~rest >>> 0;
}

/**
 * The checksum as record files store it, rotated and shifted, so that a checksum over bytes that hold checksums is no trivial one: TensorFlow's
 * `tsl/lib/hash/crc32c.h`.
 */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
