/**
 * The safetensors format (https://huggingface.co/docs/safetensors): eight bytes of header length N (little-endian), N bytes of JSON
 * `{ name: { dtype, shape, data_offsets: [begin, end] }, …, __metadata__: { key: text } }`, then the tensors' bytes. Everything here
 * is little-endian, as every machine with WebGPU is.
 *
 * A file may come from anyone, so the reader checks the whole header before it takes a byte of data: what it allocates is bounded by
 * the size of the file, and whatever is wrong is one {@linkcode SafetensorsError}.
 */
import type { DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import { encodeFloat16 } from "./half_precision.ts";
import type { HostTensor } from "./host_tensor.ts";
import { checkBooleans, type StoredDType, storedDTypes } from "./stored_dtypes.ts";

/** A file that is not valid safetensors, or tensors that cannot be written as one. The message is one line. */
export class SafetensorsError extends TensorError {
  override name = "SafetensorsError";
}

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** By name, in the order of the header. */
  tensors: Map<string, HostTensor>;
  metadata: Record<string, string>;
}

const writtenDTypes = {
  f32: { name: "F32", size: 4, array: Float32Array },
  i32: { name: "I32", size: 4, array: Int32Array },
  u32: { name: "U32", size: 4, array: Uint32Array },
  bool: { name: "BOOL", size: 1, array: Uint8Array },
} as const;

/** Where a tensor lies: offsets count from the end of the header. */
interface Entry {
  readonly name: string;
  readonly stored: StoredDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file. Floats come as f32 (F64 rounded), signed integers as i32, unsigned as u32, BOOL as bool; the data is copied.
 *
 * @throws {SafetensorsError} if anything about the file is wrong: sizes, UTF-8, JSON, duplicate keys, dtypes, shapes, offsets, holes,
 * overlaps, bytes left over, an I64 outside i32, a BOOL that is neither 0 nor 1.
 * @example
 * ```ts
 * const { tensors, metadata } = readSafetensors(await readFile("model.safetensors"));
 * model.loadStateDict(tensors);
 * ```
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, data } = splitFile(bytes);
  let metadata: Record<string, string> = {};
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(parseHeader(header))) {
    if (name === "__metadata__") metadata = checkMetadata(value);
    else entries.push(checkEntry(name, value));
  }
  checkCoverage(entries, data.length);

  const tensors = new Map<string, HostTensor>();
  for (const { name, stored, shape, begin, end } of entries) {
    const copy = new Uint8Array(end - begin); // its buffer is aligned, wherever the bytes lay in the file
    copy.set(data.subarray(begin, end));
    try {
      tensors.set(name, { shape, dtype: stored.dtype, data: stored.decode(copy.buffer) });
    } catch (error) {
      throw new SafetensorsError(`Cannot read tensor ${quote(name)}: ${(error as Error).message}`);
    }
  }
  return { tensors, metadata };
}

/** What to write besides the tensors. */
export interface WriteSafetensorsOptions {
  metadata?: Readonly<Record<string, string>>;
  /** Names of f32 tensors to round to F16: half the size. */
  float16?: ReadonlySet<string>;
}

/**
 * Writes a safetensors file: the same tensors and metadata give the same bytes, whatever order they come in. Wide elements lie first,
 * then by name, so all data is aligned to its element's size.
 *
 * @throws {SafetensorsError} if a tensor's data does not fit its dtype and shape, or its name is `__metadata__`.
 * @example
 * ```ts
 * const bytes = writeSafetensors(await model.stateDict(), { metadata: { config: JSON.stringify(config) } });
 * ```
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  { metadata = {}, float16 = new Set() }: WriteSafetensorsOptions = {},
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].map(([name, tensor]) => {
    const stored = checkTensor(name, tensor);
    if (!float16.has(name)) return { name, shape: tensor.shape, data: tensor.data, stored };
    if (tensor.dtype !== "f32")
      throw new SafetensorsError(`Expected ${quote(name)} to be f32 to write it as F16 but found ${tensor.dtype}`);
    return { name, shape: tensor.shape, data: Uint16Array.from(tensor.data, encodeFloat16), stored: { name: "F16", size: 2 } };
  });
  sorted.sort((a, b) => b.stored.size - a.stored.size || compareText(a.name, b.name));

  const fields: string[] = [];
  const texts = Object.entries(metadata).sort(([a], [b]) => compareText(a, b));
  if (texts.length > 0) {
    fields.push(`"__metadata__":{${texts.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`).join(",")}}`);
  }
  let offset = 0;
  for (const { name, shape, data, stored } of sorted) {
    const info = { dtype: stored.name, shape, data_offsets: [offset, offset + data.byteLength] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    offset += data.byteLength;
  }
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const start = 8 + Math.ceil(header.length / 8) * 8;

  const bytes = new Uint8Array(start + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(header, 8);
  bytes.fill(0x20, 8 + header.length, start); // padded with spaces
  offset = start;
  for (const { data } of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return bytes;
}

/** Cuts a file into its header's text and its data. */
function splitFile(bytes: Uint8Array): { header: string; data: Uint8Array } {
  if (bytes.length < 8) throw new SafetensorsError(`Expected at least 8 bytes but found ${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8)) {
    throw new SafetensorsError(`Expected a header of ${length} bytes but found ${bytes.length - 8} bytes in the file`);
  }
  const start = 8 + Number(length);
  try {
    const header = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start));
    return { header, data: bytes.subarray(start) };
  } catch {
    throw new SafetensorsError("Expected a header in UTF-8 but found other bytes");
  }
}

/** The header as an object whose keys are all its own and all different. */
function parseHeader(text: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    throw new SafetensorsError("Expected a header in JSON but found other text");
  }
  if (!isObject(header) || !text.startsWith("{"))
    throw new SafetensorsError("Expected the header to be a JSON object but found something else");
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw new SafetensorsError(`Expected every key once but found ${quote(duplicate)} twice`);
  return header;
}

/** A key that some object of a valid JSON text has twice, if there is one: `JSON.parse` would silently keep the last. */
function findDuplicateKey(json: string): string | undefined {
  const keys: Set<string>[] = []; // of the objects around this place
  const colon = /\s*:/y;
  let quoteAt = -1; // where the text around this place began, if in one
  // one token at a time: a pattern for a whole text would recurse once for every escape in it
  for (const { 0: token, index } of json.matchAll(/\\.|["{}]/g)) {
    if (token === '"' && quoteAt < 0) quoteAt = index;
    else if (token === '"') {
      colon.lastIndex = index + 1;
      if (colon.test(json)) {
        const key = JSON.parse(json.slice(quoteAt, index + 1)) as string;
        const seen = keys.at(-1)!;
        if (seen.has(key)) return key;
        seen.add(key);
      }
      quoteAt = -1;
    } else if (token === "{" && quoteAt < 0) keys.push(new Set());
    else if (token === "}" && quoteAt < 0) keys.pop();
  }
  return undefined;
}

function checkMetadata(value: unknown): Record<string, string> {
  if (!isObject(value)) throw new SafetensorsError("Expected __metadata__ to be a JSON object but found something else");
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new SafetensorsError(`Expected metadata ${quote(key)} to be text but found ${quote(text)}`);
  }
  return value as Record<string, string>;
}

/** One tensor's header, complete and consistent in itself. */
function checkEntry(name: string, value: unknown): Entry {
  const of = `of tensor ${quote(name)}`;
  if (!isObject(value)) throw new SafetensorsError(`Expected the header ${of} to be a JSON object but found ${quote(value)}`);
  const { dtype, shape, data_offsets: offsets, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new SafetensorsError(`Expected only dtype, shape and data_offsets ${of} but found ${quote(unknown)}`);
  const stored = typeof dtype === "string" ? storedDTypes.get(dtype) : undefined;
  if (stored === undefined) {
    throw new SafetensorsError(`Expected the dtype ${of} to be one of ${[...storedDTypes.keys()].join(", ")} but found ${quote(dtype)}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw new SafetensorsError(`Expected the shape ${of} to be a list of sizes but found ${quote(shape)}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1]) {
    throw new SafetensorsError(`Expected the data_offsets ${of} to be [begin, end] but found ${quote(offsets)}`);
  }
  const size = shape.reduce((product, dimension) => product * dimension, stored.size);
  const [begin, end] = offsets as [number, number];
  if (end - begin !== size) {
    throw new SafetensorsError(`Expected ${size} bytes for ${dtype} ${quote(shape)} ${of} but found data_offsets ${quote(offsets)}`);
  }
  return { name, stored, shape, begin, end };
}

/** Tensors lie end to end from the start of the data to its end. */
function checkCoverage(entries: readonly Entry[], length: number): void {
  let covered = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      throw new SafetensorsError(
        `Expected data at offset ${covered} but found tensor ${quote(name)} at ${begin}: ${begin > covered ? "a hole" : "an overlap"}`,
      );
    }
    covered = end;
  }
  if (covered !== length) throw new SafetensorsError(`Expected ${covered} bytes of data but found ${length}`);
}

/** How a tensor is written, once its data is known to fit. */
function checkTensor(name: string, { shape, dtype, data }: HostTensor): (typeof writtenDTypes)[DType] {
  if (name === "__metadata__") throw new SafetensorsError('Expected a tensor\'s name but found "__metadata__", which the format reserves');
  const stored = writtenDTypes[dtype];
  if (!(data instanceof stored.array)) {
    throw new SafetensorsError(`Expected ${stored.array.name} for the ${dtype} tensor ${quote(name)} but found ${data.constructor.name}`);
  }
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  if (!shape.every(isCount) || count !== data.length) {
    throw new SafetensorsError(`Expected a shape of ${data.length} elements for tensor ${quote(name)} but found ${quote(shape)}`);
  }
  try {
    if (data instanceof Uint8Array) checkBooleans(data);
  } catch (error) {
    throw new SafetensorsError(`Cannot write tensor ${quote(name)}: ${(error as Error).message}`);
  }
  return stored;
}

/** A size or an offset: a whole number that float64 holds exactly. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Any JSON value on one line of bounded length. */
function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** By UTF-16 code units, so that no locale has a say. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
