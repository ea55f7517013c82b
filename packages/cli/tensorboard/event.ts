import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Histogram } from "./histogram.ts";

/** One thing that TensorBoard shows at a step. */
export type SummaryValue =
  | { readonly tag: string; readonly scalar: number }
  | { readonly tag: string; readonly png: Uint8Array }
  | { readonly tag: string; readonly histogram: Histogram }
  | { readonly tag: string; readonly markdown: string };

/** An entry of an event file. */
export interface Event {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** What it holds: values, the file's version, or that the program started again and whatever stands at later steps is void. */
  readonly what: { readonly values: readonly SummaryValue[] } | { readonly fileVersion: string } | { readonly restart: true };
}

/** The first entry of an event file, without which TensorBoard does not heed restarts. */
export const FILE_VERSION = "brain.Event:2";

// Field numbers are those of TensorFlow's tensorflow/core/util/event.proto, and in tensorflow/core/framework: summary.proto, tensor.proto,
// tensor_shape.proto, types.proto; of the histogram, tsl/protobuf/histogram.proto. TensorBoard has copies of all in tensorboard/compat/proto.
const event = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 };
const sessionLog = { status: 1 };
const summary = { value: 1 };
const value = { tag: 1, simpleValue: 2, image: 4, histo: 5, tensor: 8, metadata: 9 };
const image = { height: 1, width: 2, colorspace: 3, encoded: 4 };
const histo = { min: 1, max: 2, num: 3, sum: 4, sumSquares: 5, bucketLimit: 6, bucket: 7 };
const tensor = { dtype: 1, shape: 2, stringValue: 8 };
const shape = { dimension: 2 };
const dimension = { size: 1 };
const metadata = { pluginData: 1 };
const pluginData = { name: 1 };

/** `SessionLog.SessionStatus.START` */
const START = 1;
/** `DataType.DT_STRING` */
const STRING = 7;
/** Channels of a picture: red, green, blue, alpha. */
const RGBA = 4;

/** Encodes an entry as the protocol buffer `tensorflow.Event`. */
export function encodeEvent({ wallTime, step, what }: Event): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(event.wallTime, WireType.Bit64).double(wallTime);
  if (step !== 0) writer.tag(event.step, WireType.Varint).int64(step);
  if ("fileVersion" in what) writer.tag(event.fileVersion, WireType.LengthDelimited).string(what.fileVersion);
  else if ("restart" in what) message(writer, event.sessionLog, () => writer.tag(sessionLog.status, WireType.Varint).int32(START));
  else {
    message(writer, event.summary, () => {
      for (const one of what.values) writeValue(writer, one);
    });
  }
  return writer.finish();
}

function writeValue(writer: BinaryWriter, one: SummaryValue): void {
  message(writer, summary.value, () => {
    writer.tag(value.tag, WireType.LengthDelimited).string(one.tag);
    if ("scalar" in one) writer.tag(value.simpleValue, WireType.Bit32).float(one.scalar);
    else if ("png" in one) writeImage(writer, one.png);
    else if ("histogram" in one) writeHistogram(writer, one.histogram);
    else writeText(writer, one.markdown);
  });
}

function writeImage(writer: BinaryWriter, png: Uint8Array): void {
  const { width, height } = pngSize(png);
  message(writer, value.image, () => {
    writer.tag(image.height, WireType.Varint).int32(height);
    writer.tag(image.width, WireType.Varint).int32(width);
    writer.tag(image.colorspace, WireType.Varint).int32(RGBA);
    writer.tag(image.encoded, WireType.LengthDelimited).bytes(png);
  });
}

function writeHistogram(writer: BinaryWriter, { min, max, count, sum, sumSquares, limits, counts }: Histogram): void {
  const double = (field: number, x: number): unknown => writer.tag(field, WireType.Bit64).double(x);
  const packed = (field: number, all: readonly number[]): void =>
    message(writer, field, () => {
      for (const x of all) writer.double(x);
    });
  message(writer, value.histo, () => {
    double(histo.min, min);
    double(histo.max, max);
    double(histo.num, count);
    double(histo.sum, sum);
    double(histo.sumSquares, sumSquares);
    packed(histo.bucketLimit, limits);
    packed(histo.bucket, counts);
  });
}

/** Text is a tensor of strings that the plugin `text` shows. */
function writeText(writer: BinaryWriter, markdown: string): void {
  message(writer, value.tensor, () => {
    writer.tag(tensor.dtype, WireType.Varint).int32(STRING);
    message(writer, tensor.shape, () => message(writer, shape.dimension, () => writer.tag(dimension.size, WireType.Varint).int64(1)));
    writer.tag(tensor.stringValue, WireType.LengthDelimited).string(markdown);
  });
  message(writer, value.metadata, () =>
    message(writer, metadata.pluginData, () => writer.tag(pluginData.name, WireType.LengthDelimited).string("text")),
  );
}

/** A message, or a packed list, as a field of another. */
function message(writer: BinaryWriter, field: number, write: () => unknown): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

/** The size of a PNG in pixels, from its header. @throws RangeError for other bytes. */
export function pngSize(png: Uint8Array): { width: number; height: number } {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const isPng = png.length >= 24 && view.getUint32(0) === 0x89504e47 && view.getUint32(12) === 0x49484452; // \x89PNG, IHDR
  if (!isPng) throw new RangeError("Expected a PNG but found other bytes");
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** What an entry is about, as far as taking up a file again needs to know. */
export interface EventOutline {
  readonly step: number;
  /** Of its values; none for versions and restarts. */
  readonly tags: readonly string[];
}

/** Reads step and tags of an entry. @throws Error for bytes that are no protocol buffer. */
export function outlineEvent(data: Uint8Array): EventOutline {
  let step = 0;
  const tags: string[] = [];
  fields(data, (reader, field, wireType) => {
    if (field === event.step) step = Number(reader.int64());
    else if (field === event.summary) tags.push(...summaryTags(reader.bytes()));
    else reader.skip(wireType, field);
  });
  return { step, tags };
}

function summaryTags(data: Uint8Array): string[] {
  const tags: string[] = [];
  fields(data, (values, field, wireType) => {
    if (field !== summary.value) return values.skip(wireType, field);
    fields(values.bytes(), (reader, inner, innerType) => {
      if (inner === value.tag) tags.push(reader.string());
      else reader.skip(innerType, inner);
    });
  });
  return tags;
}

function fields(data: Uint8Array, read: (reader: BinaryReader, field: number, wireType: WireType) => unknown): void {
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    read(reader, field, wireType);
  }
}
