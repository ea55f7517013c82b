import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";

// A reader that shares nothing with the writer: messages as their .proto files have them, read by another library, checksums bit by bit.
const { root } = protobuf.parse(
  `syntax = "proto3";
  message Event {
    double wall_time = 1;
    int64 step = 2;
    oneof what { string file_version = 3; bytes graph_def = 4; Summary summary = 5; SessionLog session_log = 7; }
  }
  message SessionLog {
    enum SessionStatus { STATUS_UNSPECIFIED = 0; START = 1; STOP = 2; CHECKPOINT = 3; }
    SessionStatus status = 1;
    string checkpoint_path = 2;
    string msg = 3;
  }
  message Summary {
    message Image { int32 height = 1; int32 width = 2; int32 colorspace = 3; bytes encoded_image_string = 4; }
    message Value {
      string node_name = 7;
      string tag = 1;
      SummaryMetadata metadata = 9;
      oneof value { float simple_value = 2; Image image = 4; HistogramProto histo = 5; TensorProto tensor = 8; }
    }
    repeated Value value = 1;
  }
  message SummaryMetadata {
    message PluginData { string plugin_name = 1; bytes content = 2; }
    PluginData plugin_data = 1;
    string display_name = 2;
    string summary_description = 3;
  }
  message HistogramProto {
    double min = 1; double max = 2; double num = 3; double sum = 4; double sum_squares = 5;
    repeated double bucket_limit = 6 [packed = true];
    repeated double bucket = 7 [packed = true];
  }
  message TensorProto { int32 dtype = 1; TensorShapeProto tensor_shape = 2; bytes tensor_content = 4; repeated bytes string_val = 8; }
  message TensorShapeProto { message Dim { int64 size = 1; string name = 2; } repeated Dim dim = 2; bool unknown_rank = 3; }`,
);
const EventMessage = root.lookupType("Event");

/** An event as the independent reader finds it. */
export interface ReadEvent {
  readonly wallTime: number;
  readonly step: number;
  readonly fileVersion?: string;
  readonly sessionLog?: { readonly status: string };
  readonly summary?: { readonly value: readonly ReadValue[] };
}

/** A value of an event. */
export interface ReadValue {
  readonly tag: string;
  readonly simpleValue?: number;
  readonly image?: {
    readonly height: number;
    readonly width: number;
    readonly colorspace: number;
    readonly encodedImageString: Uint8Array;
  };
  readonly histo?: {
    readonly min: number;
    readonly max: number;
    readonly num: number;
    readonly sum: number;
    readonly sumSquares: number;
    readonly bucketLimit: readonly number[];
    readonly bucket: readonly number[];
  };
  readonly tensor?: {
    readonly dtype: number;
    readonly tensorShape: { readonly dim: readonly { size: number }[] };
    readonly stringVal: readonly Uint8Array[];
  };
  readonly metadata?: { readonly pluginData: { readonly pluginName: string } };
}

/** Reads an event file to its last byte. @throws Error where a record is torn or a checksum is wrong. */
export function readEventFile(bytes: Uint8Array): ReadEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: ReadEvent[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const data = bytes.subarray(at + 12, at + 12 + length);
    if (data.length !== length) throw new Error(`Expected a whole record at ${at} but found a torn one`);
    if (view.getUint32(at + 8, true) !== masked(bytes.subarray(at, at + 8)))
      throw new Error(`Expected the checksum of the length at ${at}`);
    if (view.getUint32(at + 12 + length, true) !== masked(data)) throw new Error(`Expected the checksum of the data at ${at}`);
    const event = EventMessage.toObject(EventMessage.decode(data), { longs: Number, enums: String }) as ReadEvent;
    events.push({ ...event, step: event.step ?? 0 }); // a zero is not written
    at += 16 + length;
  }
  return events;
}

/** Reads all event files of a folder, in the order in which TensorBoard does. */
export function readEventFolder(folder: string): ReadEvent[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => readEventFile(readFileSync(join(folder, name))));
}

/** A scalar's steps and values. */
export function scalarsOf(events: readonly ReadEvent[], tag: string): [step: number, value: number][] {
  return events.flatMap(({ step, summary }) =>
    (summary?.value ?? []).flatMap((value): [number, number][] => (value.tag === tag ? [[step, value.simpleValue!]] : [])),
  );
}

function masked(bytes: Uint8Array): number {
  const crc = crcByBits(bytes);
  return Number(((BigInt(crc >>> 15) | (BigInt(crc) << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

/** CRC-32C as division of polynomials, a bit at a time, from the definition in RFC 3720. */
export function crcByBits(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0n; bit < 8n; bit++) {
      const isOdd = ((crc ^ (BigInt(byte) >> bit)) & 1n) === 1n;
      crc = (crc >> 1n) ^ (isOdd ? 0x82f63b78n : 0n);
    }
  }
  return Number(crc ^ 0xffffffffn);
}
