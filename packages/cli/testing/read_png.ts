import { inflateSync } from "node:zlib";

/** A picture's pixels, four bytes each: red, green, blue, opacity. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The pixels of a PNG of 8-bit RGBA without interlacing, which is the only kind that we write (PNG specification, 3rd edition, 2025). */
export function readPng(png: Uint8Array): Pixels {
  const bytes = Buffer.from(png);
  if (bytes.toString("latin1", 0, 8) !== "\x89PNG\r\n\x1a\n") throw new Error("Expected a PNG but found another file");
  const parts: Buffer[] = [];
  let header = Buffer.alloc(0);
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const kind = bytes.toString("latin1", at + 4, at + 8);
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") header = content;
    if (kind === "IDAT") parts.push(content);
    at += 12 + length;
  }
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  if (header.readUInt32BE(8) !== 0x08060000) throw new Error("Expected 8-bit RGBA but found another kind of PNG");
  return { width, height, data: unfiltered(inflateSync(Buffer.concat(parts)), { width, height }) };
}

/** Undoes the filter that each row names in its first byte. */
function unfiltered(rows: Uint8Array, { width, height }: { width: number; height: number }): Uint8Array {
  const stride = 4 * width;
  const data = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const left = x < 4 ? 0 : data[y * stride + x - 4]!;
      const above = y === 0 ? 0 : data[(y - 1) * stride + x]!;
      const corner = x < 4 || y === 0 ? 0 : data[(y - 1) * stride + x - 4]!;
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter]!;
      data[y * stride + x] = rows[y * (stride + 1) + 1 + x]! + guess;
    }
  }
  return data;
}

function paeth(left: number, above: number, corner: number): number {
  const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}
