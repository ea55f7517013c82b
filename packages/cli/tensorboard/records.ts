import { maskedCrc32c } from "./crc32c.ts";

/** Length and its checksum before the data, the data's checksum behind it. */
const HEADER = 12;
const FOOTER = 4;

/**
 * A record as TFRecord files hold it: the length as 64 bits, its masked checksum, the data, its masked checksum, all little-endian. From
 * TensorFlow's `tsl/lib/io/record_writer.h`.
 */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + data.length + FOOTER);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true);
  bytes.set(data, HEADER);
  view.setUint32(HEADER + data.length, maskedCrc32c(data), true);
  return bytes;
}

/** A whole record in a file. */
export interface FoundRecord {
  /** All of it, with lengths and checksums. */
  readonly bytes: Uint8Array;
  readonly data: Uint8Array;
}

/** The records at the start of a file, up to the first that is torn or damaged: what stands behind one cannot be found. */
export function readRecords(file: Uint8Array): FoundRecord[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const records: FoundRecord[] = [];
  for (let start = 0; start + HEADER + FOOTER <= file.length; ) {
    const length = Number(view.getBigUint64(start, true));
    const end = start + HEADER + length + FOOTER;
    if (view.getUint32(start + 8, true) !== maskedCrc32c(file.subarray(start, start + 8)) || end > file.length) break;
    const data = file.subarray(start + HEADER, end - FOOTER);
    if (view.getUint32(end - FOOTER, true) !== maskedCrc32c(data)) break;
    records.push({ bytes: file.subarray(start, end), data });
    start = end;
  }
  return records;
}
