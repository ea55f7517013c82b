/**
 * Zips whose members are stored and not compressed, as `torch.save` writes them
 * (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT). Members come out as views of the file: nothing is copied or inflated.
 */
import { quote, TorchFileError } from "./torch_file_error.ts";

const END = 0x06054b50; // signatures of the format's records
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_LENGTH = 22;
const MAX_COMMENT = 0xffff;

/** A member's entry in the zip's directory. */
interface Entry {
  readonly name: string;
  readonly crc: number;
  readonly size: number;
  readonly localAt: number;
}

/**
 * A zip's members by name, each with its checksum checked when it is asked for.
 *
 * @throws {TorchFileError} if it is no zip, cut off, damaged, compressed, encrypted, or larger than 4 GiB.
 */
export class StoredZip {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #entries = new Map<string, Entry>();

  constructor(bytes: Uint8Array) {
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength); // slices of Node's Buffer would share its memory
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = this.#findEnd();
    const count = this.#view.getUint16(end + 10, true);
    let at = this.#view.getUint32(end + 16, true);
    for (let i = 0; i < count; i++) {
      this.#expect(CENTRAL, { at, length: 46, what: "an entry of the zip's directory" });
      const nameLength = this.#view.getUint16(at + 28, true);
      const length = 46 + nameLength + this.#view.getUint16(at + 30, true) + this.#view.getUint16(at + 32, true);
      const entry = this.#entry(at, nameLength);
      if (this.#entries.has(entry.name))
        throw new TorchFileError(`Expected every member of the zip once but found ${quote(entry.name)} twice`);
      this.#entries.set(entry.name, entry);
      at += length;
    }
  }

  /** The members' names, in the directory's order. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** A member's bytes, a view of the file. @throws TorchFileError if it is not there, cut off or damaged. */
  read(name: string): Uint8Array {
    const entry = this.#entries.get(name);
    if (!entry) throw new TorchFileError(`Expected ${quote(name)} in the zip but found no such member`);
    const { localAt, size, crc } = entry;
    this.#expect(LOCAL, { at: localAt, length: 30, what: `the header of ${quote(name)}` });
    const start = localAt + 30 + this.#view.getUint16(localAt + 26, true) + this.#view.getUint16(localAt + 28, true);
    if (start + size > this.#bytes.length)
      throw new TorchFileError(
        `Expected ${size} bytes of ${quote(name)} but found ${Math.max(0, this.#bytes.length - start)}: the file is cut off`,
      );
    const data = this.#bytes.subarray(start, start + size);
    if (crc32(data) !== crc) throw new TorchFileError(`Expected the bytes of ${quote(name)} that its checksum promises but found others`);
    return data;
  }

  #findEnd(): number {
    const last = this.#bytes.length - END_LENGTH;
    for (let at = last; at >= Math.max(0, last - MAX_COMMENT); at--) if (this.#view.getUint32(at, true) === END) return at;
    throw new TorchFileError("Expected a whole zip, as torch.save writes since PyTorch 1.6, but found a cut-off or another file");
  }

  #entry(at: number, nameLength: number): Entry {
    const name = new TextDecoder().decode(this.#bytes.subarray(at + 46, at + 46 + nameLength));
    const [flags, method] = [this.#view.getUint16(at + 8, true), this.#view.getUint16(at + 10, true)];
    const [packed, size, localAt] = [20, 24, 42].map((offset) => this.#view.getUint32(at + offset, true)) as [number, number, number];
    if (flags & 1) throw new TorchFileError(`Expected ${quote(name)} to be readable but found it encrypted`);
    if (method !== 0 || packed !== size)
      throw new TorchFileError(
        `Expected ${quote(name)} to be stored but found it compressed (method ${method}): this is not torch.save's zip`,
      );
    if (size === 0xffffffff || localAt === 0xffffffff)
      throw new TorchFileError(`Expected a file below 4 GiB but found ${quote(name)} beyond it`);
    return { name, size, localAt, crc: this.#view.getUint32(at + 16, true) };
  }

  #expect(signature: number, { at, length, what }: { readonly at: number; readonly length: number; readonly what: string }): void {
    if (at + length > this.#bytes.length || this.#view.getUint32(at, true) !== signature)
      throw new TorchFileError(`Expected ${what} at byte ${at} but found other bytes: the file is damaged`);
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
