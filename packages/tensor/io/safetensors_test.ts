import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HostTensor } from "./host_tensor.ts";
import { readSafetensors, SafetensorsError, writeSafetensors } from "./safetensors.ts";

/** A file with this header, as text or JSON, and this data. */
function file(header: unknown, data: ArrayLike<number> = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** A file of one tensor `x` that is right unless a field says otherwise. */
function oneTensor(fields: Record<string, unknown>, data: ArrayLike<number> = new Uint8Array(8)): Uint8Array {
  return file({ x: { dtype: "F32", shape: [2], data_offsets: [0, data.length], ...fields } }, data);
}

function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });

/** Any tensor, with any bits: NaN payloads, infinities and zeros of both signs included. */
const anyTensor: fc.Arbitrary<HostTensor> = fc
  .record({ shape: shapes, dtype: fc.constantFrom("f32", "i32", "u32", "bool"), seed: fc.nat() })
  .map(({ shape, dtype, seed }): HostTensor => {
    const count = shape.reduce((product, size) => product * size, 1);
    const words = Uint32Array.from({ length: count }, (_, i) => Math.imul(seed + i, 0x9e3779b1));
    if (dtype === "f32") return { shape, dtype, data: new Float32Array(words.buffer) };
    if (dtype === "i32") return { shape, dtype, data: new Int32Array(words.buffer) };
    if (dtype === "u32") return { shape, dtype, data: words };
    return { shape, dtype, data: Uint8Array.from(words, (word) => word >>> 31) };
  });

const anyName = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "constructor", "", "transformer.h.0.weight"));
const anyFile = fc.record({
  tensors: fc.uniqueArray(fc.tuple(anyName, anyTensor), { selector: ([name]) => name, maxLength: 5 }),
  metadata: fc.dictionary(anyName, fc.string({ unit: "binary" }), { maxKeys: 3 }),
});

describe("writeSafetensors() and readSafetensors()", () => {
  it("give back every tensor, bit for bit, and the metadata", () => {
    fc.assert(
      fc.property(anyFile, fc.nat(7), ({ tensors, metadata }, shift) => {
        const written = writeSafetensors(new Map(tensors), { metadata });
        const shifted = new Uint8Array(written.length + shift).subarray(shift); // bytes at any alignment
        shifted.set(written);
        const read = readSafetensors(shifted);
        expect(read.tensors.size).toBe(tensors.length);
        for (const [name, tensor] of tensors) {
          const found = read.tensors.get(name)!;
          expect({ shape: found.shape, dtype: found.dtype }).toEqual({ shape: tensor.shape, dtype: tensor.dtype });
          expect(found.data.constructor).toBe(tensor.data.constructor);
          expect(bytesOf(found.data)).toEqual(bytesOf(tensor.data));
        }
        expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
      }),
    );
  });

  it("give the same bytes in whatever order the tensors come", () => {
    fc.assert(
      fc.property(anyFile, ({ tensors, metadata }) => {
        const reversed = Object.fromEntries(Object.entries(metadata).reverse());
        expect(writeSafetensors(new Map([...tensors].reverse()), { metadata: reversed })).toEqual(
          writeSafetensors(new Map(tensors), { metadata }),
        );
      }),
    );
  });

  it("answer any bytes with a file or a SafetensorsError of one line", () => {
    const mutation = fc.record({ at: fc.nat(), remove: fc.nat(3), insert: fc.oneof(fc.uint8Array({ maxLength: 3 }), headerText()) });
    fc.assert(
      fc.property(anyFile, fc.array(mutation, { maxLength: 3 }), fc.boolean(), ({ tensors, metadata }, mutations, fixLength) => {
        let bytes = [...writeSafetensors(new Map(tensors), { metadata })];
        const length = bytes.length;
        const dataLength = length - 8 - Number(new DataView(Uint8Array.from(bytes).buffer).getBigUint64(0, true));
        // most mutations in the header, and its length put right half of the time: else the first check would refuse them all
        for (const { at, remove, insert } of mutations) bytes.splice(fixLength ? 8 + (at % (length - 8)) : at % length, remove, ...insert);
        if (fixLength) bytes = [...file("x".repeat(Math.max(0, bytes.length - 8 - dataLength))).subarray(0, 8), ...bytes.slice(8)];
        expectFileOrError(Uint8Array.from(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it("answer any JSON in the header with a file or a SafetensorsError of one line", () => {
    const count = fc.oneof(fc.constantFrom(0, 1, 2, 4, 8, -1, 0.5, 2 ** 31, 2 ** 53, 1e300), fc.nat(16));
    const info = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom("F32", "BOOL", "I64", "F16", "toString"), fc.jsonValue()),
        shape: fc.oneof(fc.array(count), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(count, count), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const header = fc.dictionary(fc.oneof(anyName, fc.constant("__metadata__")), fc.oneof(info, fc.jsonValue()), { maxKeys: 3 });
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 16 }), (header, data) => expectFileOrError(file(header, data))),
      { numRuns: 1000 },
    );
  });
});

/** Snippets that are likely to make a header wrong in a new way. */
function headerText(): fc.Arbitrary<Uint8Array> {
  return fc
    .constantFrom(
      '"',
      "{",
      "}",
      "]",
      "0",
      "9",
      "-",
      ".5",
      "e99",
      "null",
      '"__metadata__":{},',
      '"__proto__":{},',
      '"dtype":"F16",',
      "\u0000",
    )
    .map((text) => new TextEncoder().encode(text));
}

function expectFileOrError(bytes: Uint8Array): void {
  try {
    const { tensors } = readSafetensors(bytes);
    const held = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    expect(held).toBeLessThanOrEqual(4 * bytes.length); // u8 as u32 widens most
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    expect(error.message).toMatch(/^(Expected|Cannot read) .+$/);
  }
}

describe("readSafetensors()", () => {
  it("reads every dtype of the format that the engine can hold", () => {
    const cases: [dtype: string, stored: ArrayBufferView, want: HostTensor["data"]][] = [
      ["F32", Float32Array.of(1.5, -0), Float32Array.of(1.5, -0)],
      ["F64", Float64Array.of(1 / 3, -2), Float32Array.of(Math.fround(1 / 3), -2)],
      ["F16", Uint16Array.of(0x3c00, 0xc000), Float32Array.of(1, -2)],
      ["BF16", Uint16Array.of(0x3f80, 0xc000), Float32Array.of(1, -2)],
      ["I32", Int32Array.of(-1, 7), Int32Array.of(-1, 7)],
      ["I64", BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n), Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
      ["I16", Int16Array.of(-1, 7), Int32Array.of(-1, 7)],
      ["I8", Int8Array.of(-1, 7), Int32Array.of(-1, 7)],
      ["U32", Uint32Array.of(0, 2 ** 32 - 1), Uint32Array.of(0, 2 ** 32 - 1)],
      ["U16", Uint16Array.of(0, 65535), Uint32Array.of(0, 65535)],
      ["U8", Uint8Array.of(0, 255), Uint32Array.of(0, 255)],
      ["BOOL", Uint8Array.of(0, 1), Uint8Array.of(0, 1)],
    ];
    for (const [dtype, stored, want] of cases) {
      expect(readSafetensors(oneTensor({ dtype }, bytesOf(stored))).tensors.get("x")?.data).toEqual(want);
    }
  });

  it("reads tensors without elements and without dimensions", () => {
    const { tensors } = readSafetensors(
      file(
        { none: { dtype: "F32", shape: [3, 0], data_offsets: [0, 0] }, scalar: { dtype: "F32", shape: [], data_offsets: [0, 4] } },
        bytesOf(Float32Array.of(5)),
      ),
    );
    expect(tensors.get("none")?.data.length).toBe(0);
    expect(tensors.get("scalar")).toEqual({ shape: [], dtype: "f32", data: Float32Array.of(5) });
  });

  it("keeps names and keys that objects would take for something else", () => {
    const { tensors, metadata } = readSafetensors(
      file('{"__proto__":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},"__metadata__":{"__proto__":"text"}}', [1]),
    );
    expect([...tensors.keys()]).toEqual(["__proto__"]);
    expect(Object.entries(metadata)).toEqual([["__proto__", "text"]]);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  it("reads metadata of many megabytes", () => {
    const text = 'a"\\'.repeat(2_000_000);
    expect(readSafetensors(writeSafetensors(new Map(), { metadata: { text } })).metadata.text === text).toBe(true);
  });

  const info = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
  const infoText = JSON.stringify(info);
  const refusals: [what: string, bytes: Uint8Array, message: string][] = [
    ["a file without a length", Uint8Array.of(1, 2, 3), "Expected at least 8 bytes but found 3"],
    ["a header beyond the file", file("{}").subarray(0, 9), "Expected a header of 2 bytes but found 1 bytes in the file"],
    [
      "a header of 2^64 - 1 bytes",
      new Uint8Array(16).fill(255),
      "Expected a header of 18446744073709551615 bytes but found 8 bytes in the file",
    ],
    ["a header that is not UTF-8", file("{}").fill(0xff, 8), "Expected a header in UTF-8 but found other bytes"],
    ["a header that is not JSON", file("{,}"), "Expected a header in JSON but found other text"],
    ["an empty header", file(""), "Expected a header in JSON but found other text"],
    ["a byte order mark", file("\ufeff{}"), "Expected a header in JSON but found other text"],
    ["a header that is a list", file([]), "Expected the header to be a JSON object but found something else"],
    ["a header that starts with a space", file(" {}"), "Expected the header to be a JSON object but found something else"],
    ["a tensor twice", file(`{"x":${infoText},"\\u0078":${infoText}}`, [0, 0, 0, 0]), 'Expected every key once but found "x" twice'],
    [
      "a field twice",
      file('{"x":{"dtype":"F32","dtype":"I32","shape":[0],"data_offsets":[0,0]}}'),
      'Expected every key once but found "dtype" twice',
    ],
    ["metadata twice", file('{"__metadata__":{},"__metadata__":{}}'), 'Expected every key once but found "__metadata__" twice'],
    ["metadata that is text", file({ __metadata__: "a" }), "Expected __metadata__ to be a JSON object but found something else"],
    ["metadata that is not text", file({ __metadata__: { step: 3 } }), 'Expected metadata "step" to be text but found 3'],
    ["a tensor that is no object", file({ x: null }), 'Expected the header of tensor "x" to be a JSON object but found null'],
    [
      "a tensor that hides behind a prototype",
      file(`{"x":{"__proto__":${infoText}}}`),
      'Expected only dtype, shape and data_offsets of tensor "x" but found "__proto__"',
    ],
    [
      "an unknown dtype",
      oneTensor({ dtype: "F8_E4M3" }),
      'Expected the dtype of tensor "x" to be one of F64, F32, F16, BF16, I64, I32, I16, I8, U32, U16, U8, BOOL but found "F8_E4M3"',
    ],
    ["a missing shape", oneTensor({ shape: undefined }), 'Expected the shape of tensor "x" to be a list of sizes but found nothing'],
    ["a negative size", oneTensor({ shape: [-1, -2] }), 'Expected the shape of tensor "x" to be a list of sizes but found [-1,-2]'],
    ["a fraction", oneTensor({ shape: [0.5, 4] }), 'Expected the shape of tensor "x" to be a list of sizes but found [0.5,4]'],
    [
      "a size beyond 2^53",
      oneTensor({ shape: [2 ** 53] }),
      'Expected the shape of tensor "x" to be a list of sizes but found [9007199254740992]',
    ],
    [
      "a shape whose product overflows",
      oneTensor({ shape: [2 ** 52, 2 ** 52] }),
      'Expected 8.112963841460668e+31 bytes for F32 [4503599627370496,4503599627370496] of tensor "x" but found data_offsets [0,8]',
    ],
    [
      "offsets that do not match the shape",
      oneTensor({ shape: [3] }),
      'Expected 12 bytes for F32 [3] of tensor "x" but found data_offsets [0,8]',
    ],
    [
      "offsets backwards",
      oneTensor({ data_offsets: [8, 0] }),
      'Expected the data_offsets of tensor "x" to be [begin, end] but found [8,0]',
    ],
    [
      "three offsets",
      oneTensor({ data_offsets: [0, 4, 8] }),
      'Expected the data_offsets of tensor "x" to be [begin, end] but found [0,4,8]',
    ],
    ["an overlap", file({ x: info, y: info }, [0, 0, 0, 0]), 'Expected data at offset 4 but found tensor "y" at 0: an overlap'],
    [
      "a hole",
      file({ x: { ...info, data_offsets: [4, 8] } }, new Uint8Array(8)),
      'Expected data at offset 0 but found tensor "x" at 4: a hole',
    ],
    ["data missing", file({ x: info }), "Expected 4 bytes of data but found 0"],
    ["data left over", file({ x: info }, new Uint8Array(5)), "Expected 4 bytes of data but found 5"],
    [
      "an integer that i32 cannot hold",
      oneTensor({ dtype: "I64", shape: [1] }, bytesOf(BigInt64Array.of(2n ** 31n))),
      'Cannot read tensor "x": Expected integers of 32 bits but found 2147483648',
    ],
    [
      "a boolean that is neither 0 nor 1",
      oneTensor({ dtype: "BOOL" }, [1, 2]),
      'Cannot read tensor "x": Expected booleans of 0 or 1 but found 2',
    ],
  ];
  for (const [what, bytes, message] of refusals) {
    it(`refuses ${what}`, () => {
      expect(() => readSafetensors(bytes)).toThrow(new SafetensorsError(message));
    });
  }
});

describe("writeSafetensors()", () => {
  it("writes the documented bytes", () => {
    const tensors = new Map<string, HostTensor>([
      ["mask", { shape: [1], dtype: "bool", data: Uint8Array.of(1) }],
      ["b", { shape: [], dtype: "i32", data: Int32Array.of(-1) }],
      ["a", { shape: [1, 1], dtype: "f32", data: Float32Array.of(1) }],
    ]);
    const bytes = writeSafetensors(tensors, { metadata: { z: "1", format: "pt" } });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + length)).trimEnd()).toBe(
      '{"__metadata__":{"format":"pt","z":"1"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},' +
        '"b":{"dtype":"I32","shape":[],"data_offsets":[4,8]},"mask":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]}}',
    );
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 255, 255, 255, 255, 1]);
  });

  it("rounds the tensors that are named to halves", () => {
    const values = Float32Array.of(1, -2.5, 1 / 3, 65_504);
    const tensors = new Map<string, HostTensor>([
      ["small", { shape: [2, 2], dtype: "f32", data: values }],
      ["whole", { shape: [4], dtype: "f32", data: values }],
      ["count", { shape: [1], dtype: "i32", data: Int32Array.of(7) }],
    ]);
    const bytes = writeSafetensors(tensors, { float16: new Set(["small"]) });
    const read = readSafetensors(bytes).tensors;
    expect([...read.get("small")!.data]).toEqual([1, -2.5, 0.333251953125, 65_504]);
    expect([...read.get("whole")!.data]).toEqual([...values]);
    expect(bytes.length).toBe(writeSafetensors(tensors).length - 4 * 2);
    expect(() => writeSafetensors(tensors, { float16: new Set(["count"]) })).toThrow(
      'Expected "count" to be f32 to write it as F16 but found i32',
    );
  });

  it("writes only a view's own elements", () => {
    const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    const bytes = writeSafetensors(new Map([["x", { shape: [2], dtype: "f32", data }]]));
    expect(readSafetensors(bytes).tensors.get("x")?.data).toEqual(Float32Array.of(2, 3));
  });

  it("refuses what could not be read back", () => {
    const write = (tensor: HostTensor, name = "x") => writeSafetensors(new Map([[name, tensor]]));
    expect(() => write({ shape: [2], dtype: "f32", data: new Float32Array(3) })).toThrow(
      new SafetensorsError('Expected a shape of 3 elements for tensor "x" but found [2]'),
    );
    expect(() => write({ shape: [1], dtype: "f32", data: new Int32Array(1) })).toThrow(
      new SafetensorsError('Expected Float32Array for the f32 tensor "x" but found Int32Array'),
    );
    expect(() => write({ shape: [1], dtype: "bool", data: Uint8Array.of(3) })).toThrow(
      new SafetensorsError('Cannot write tensor "x": Expected booleans of 0 or 1 but found 3'),
    );
    expect(() => write({ shape: [], dtype: "f32", data: new Float32Array(1) }, "__metadata__")).toThrow(SafetensorsError);
  });
});
