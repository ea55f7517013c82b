import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { storedZip, torchFile } from "../testing/torch_file.ts";
import { TorchFileError } from "./torch_file_error.ts";
import { isHostTensor, readTorchFile, type TorchValue, torchStateDict } from "./torch_pickle.ts";

const folder = new URL("../testing/torch/", import.meta.url);
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${name}.pt`, folder)));
const expected = JSON.parse(readFileSync(new URL("expected.json", folder), "utf8"));

/** A value as the script that wrote the fixtures describes it. */
function described(value: TorchValue | undefined): unknown {
  if (isHostTensor(value)) {
    const values = value.dtype === "bool" ? Array.from(value.data, Boolean) : Array.from(value.data);
    return { shape: value.shape, values };
  }
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, described(item)]));
  return Array.isArray(value) ? value.map(described) : value;
}

/** A file with a pickle of these instructions: texts as they are, numbers as bytes. */
function pickleOf(...code: (string | number)[]): Uint8Array {
  const bytes = code.flatMap((part) => (typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]));
  return storedZip({ "x/data.pkl": Uint8Array.of(0x80, 2, ...bytes), "x/data/0": new Uint8Array(8), "x/version": Uint8Array.of(0x33) });
}

/** Instructions for a tensor of the two f32 in storage 0. */
function tensorOf(size: number, { stride = 1, offset = 0, length = 2 } = {}): (string | number)[] {
  const text = (value: string): (string | number)[] => ["X", value.length, 0, 0, 0, value];
  const id = ["(", ...text("storage"), "ctorch\nFloatStorage\n", ...text("0"), ...text("cpu"), "K", length, "tQ"];
  const number = (value: number): (string | number)[] => ["J", value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
  const call = [...id, ...number(offset), ...number(size), 0x85, ...number(stride), 0x85, 0x89, "N"];
  return ["ctorch._utils\n_rebuild_tensor_v2\n(", ...call, "tR"];
}

describe("readTorchFile()", () => {
  it.each(["dtypes", "views", "checkpoint", "protocol4"])("reads what torch wrote: %s", (name) => {
    expect(described(readTorchFile(fixture(name)))).toEqual(rounded(expected[name]));
  });

  it("gives tensors the dtypes that hold their values", () => {
    const value = readTorchFile(fixture("dtypes")) as ReadonlyMap<string, TorchValue>;
    const dtypes = [...value].flatMap(([name, tensor]) =>
      isHostTensor(tensor) ? [`${name} ${tensor.dtype} ${tensor.data.constructor.name}`] : [],
    );
    expect(dtypes).toEqual([
      ...["float64", "float32", "float16", "bfloat16"].map((name) => `${name} f32 Float32Array`),
      ...["int64", "int32", "int16", "int8"].map((name) => `${name} i32 Int32Array`),
      "uint8 u32 Uint32Array",
      "bool bool Uint8Array",
    ]);
  });

  it("keeps tensors of one storage apart", () => {
    const state = torchStateDict(readTorchFile(fixture("views")));
    state.get("base")!.data[0] = 99;
    expect(state.get("parameter")!.data[0]).toBe(0);
  });

  it("reads from bytes at any alignment", () => {
    const bytes = fixture("views");
    const shifted = new Uint8Array(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    expect(readTorchFile(shifted)).toEqual(readTorchFile(bytes));
    expect(readTorchFile(Buffer.from(shifted))).toEqual(readTorchFile(bytes));
  });

  it("runs nothing: a pickle of os.system is refused by its name", () => {
    expect(() => readTorchFile(fixture("harmful"))).toThrow(
      new TorchFileError(
        'Expected tensors and plain values alone but found "posix.system": what it does when read is up to the file, so it is refused',
      ),
    );
  });

  it("refuses whole modules, files before PyTorch 1.6, and files of others, each in one line", () => {
    expect(() => readTorchFile(fixture("module"))).toThrow('found "torch.nn.modules.linear.Linear"');
    expect(() => readTorchFile(fixture("legacy"))).toThrow("the older form: load and save it again with torch");
    expect(() => readTorchFile(new Uint8Array(0))).toThrow("found a cut-off or another file");
    expect(() => readTorchFile(new TextEncoder().encode("{}".repeat(100)))).toThrow("found a cut-off or another file");
    expect(() => readTorchFile(storedZip({ "words.json": Uint8Array.of(1) }))).toThrow("Expected one data.pkl in the zip but found 0");
    const big = { "x/byteorder": new TextEncoder().encode("big"), "x/data.pkl": Uint8Array.of(0x80, 2, 0x4e, 0x2e) };
    expect(() => readTorchFile(storedZip(big))).toThrow('found byte order "big"');
  });

  it("finds a changed bit in a tensor", () => {
    const bytes = fixture("views");
    const at = bytes.findIndex((_, i) => read(bytes, i) === 23);
    bytes[at]! ^= 1;
    expect(() => readTorchFile(bytes)).toThrow("that its checksum promises");
  });

  it("reads a tensor of a pickle written by hand", () => {
    expect(readTorchFile(pickleOf(...tensorOf(2), "."))).toEqual({ shape: [2], dtype: "f32", data: new Float32Array(2) });
  });

  it("holds tensors to their storage, and their number to the file's size", () => {
    expect(() => readTorchFile(pickleOf(...tensorOf(3), "."))).toThrow('Expected 3 elements in storage "0" for a tensor [3] but found 2');
    expect(() => readTorchFile(pickleOf(...tensorOf(2, { offset: 1 }), "."))).toThrow("Expected 3 elements in storage");
    expect(() => readTorchFile(pickleOf(...tensorOf(2, { stride: -1 }), "."))).toThrow(
      "Expected a tensor's storage, offset, sizes and strides",
    );
    expect(() => readTorchFile(pickleOf(...tensorOf(1, { length: 9 }), "."))).toThrow('Expected 36 bytes in storage "0" but found 8');
    expect(() => readTorchFile(pickleOf(...tensorOf(2 ** 30, { stride: 0 }), "."))).toThrow("Expected tensors of about the file's size");
  });

  it("refuses pickles that are no whole ones", () => {
    expect(() => readTorchFile(pickleOf("}"))).toThrow("Cannot read the pickle at byte 3: expected 1 more bytes but found 0");
    expect(() => readTorchFile(pickleOf("a."))).toThrow("expected more values on the stack but found too few");
    expect(() => readTorchFile(pickleOf("h", 3, "."))).toThrow("expected a value noted as 3 but found none");
    expect(() => readTorchFile(pickleOf("NNb."))).toThrow("expected attributes of a dict but found those of something else");
    expect(() => readTorchFile(pickleOf("NNR."))).toThrow("expected a call but found something else");
    expect(() => readTorchFile(pickleOf("i."))).toThrow("expected an instruction that checkpoints are made of but found 0x69");
    expect(() => readTorchFile(pickleOf("ctorch\nFloatStorage\n."))).toThrow('expected a value but found "torch.FloatStorage" by itself');
    expect(() => readTorchFile(pickleOf("ctorch\nFloatStorage\n(NtR."))).toThrow("found a call of it");
    expect(() => readTorchFile(pickleOf("}]Ns."))).toThrow("expected text or a number as the key of a dict");
  });

  it("answers any bytes with a value or a TorchFileError of one line", () => {
    const change = fc.record({ at: fc.nat(), bit: fc.nat(7), remove: fc.nat(2) });
    const files = ["dtypes", "views", "checkpoint", "protocol4", "harmful"].map(fixture);
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.array(change, { maxLength: 3 }), fc.option(fc.nat()), (file, changes, end) => {
        const bytes = [...file];
        for (const { at, bit, remove } of changes) {
          bytes[at % bytes.length]! ^= 1 << bit;
          bytes.splice(at % bytes.length, remove);
        }
        expectValueOrError(Uint8Array.from(end === null ? bytes : bytes.slice(0, end % (bytes.length + 1))));
      }),
      { numRuns: 500 },
    );
  });

  it("answers any pickle in a whole zip with a value or a TorchFileError of one line", () => {
    const parts = fc.constantFrom<(string | number)[]>(
      ...["(", ")", "]", "}", "N", "Q", "R", "b", "s", "u", "a", "e", "t", "0", ".", "ctorch\nFloatStorage\n"].map((code) => [code]),
      ...[0x85, 0x86, 0x87, 0x88, 0x94, 0x93, 0x95].map((code) => [code]),
      ["ccollections\nOrderedDict\n)R"],
      ["cbuiltins\neval\n"],
      ["X", 1, 0, 0, 0, "k"],
      ["q", 1],
      ["h", 1],
      ["K", 2],
      [0x8a, 1, 1],
      ...[tensorOf(2), tensorOf(1, { offset: 1 }), tensorOf(9)],
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 12 }), (code) => expectValueOrError(pickleOf(...code.flat(), "."))),
      { numRuns: 1000 },
    );
  });
});

describe("torchFile()", () => {
  it("writes for tests what readTorchFile() gives back", () => {
    const tensor = { shape: [2, 3], dtype: "f32", data: Float32Array.of(1, 2, 3, 4, 5, 6) } as const;
    const value = new Map<string | number, TorchValue>([
      ["tensors", new Map([["W", tensor]])],
      ["plain", [null, true, -3, 0.5, "θ", []]],
      [7, { shape: [], dtype: "i32", data: Int32Array.of(-1) }],
    ]);
    expect(readTorchFile(torchFile(value))).toEqual(value);
  });
});

describe("torchStateDict()", () => {
  it("takes dicts of tensors alone", () => {
    const value = readTorchFile(fixture("checkpoint")) as ReadonlyMap<string, TorchValue>;
    expect([...torchStateDict(value.get("model_state_dict")).keys()]).toEqual(["0.weight", "0.bias"]);
    expect(() => torchStateDict(value, "x.pt")).toThrow(
      new TorchFileError('Expected "model_state_dict" in x.pt to be a tensor but found a dict'),
    );
    expect(() => torchStateDict(value.get("step"))).toThrow(new TorchFileError("Expected a dict of tensors in the file but found 1"));
  });
});

function read(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(Math.min(at, bytes.length - 4), true);
}

/** Numbers of tensors as f32 has them. */
function rounded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== "object" || value === null) return value;
  const { values, ...rest } = value as { values?: unknown[] };
  if (values) return { ...rest, values: values.map((v) => (typeof v === "number" ? Math.fround(v) : v)) };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rounded(item)]));
}

function expectValueOrError(bytes: Uint8Array): void {
  try {
    readTorchFile(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(TorchFileError);
    expect((error as Error).message).toMatch(/^[^\n]{1,400}$/);
  }
}
