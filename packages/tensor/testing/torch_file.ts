import { isHostTensor, type TorchValue } from "../io/torch_pickle.ts";

/**
 * A file as `torch.save` writes it, which torch reads: for tests of what reads such files. Tensors of f32, i32 and bool; dicts become
 * OrderedDicts, arrays tuples.
 */
export function torchFile(value: TorchValue): Uint8Array<ArrayBuffer> {
  const pickle: number[] = [0x80, 2];
  const members: Record<string, Uint8Array> = { "archive/data.pkl": new Uint8Array() };
  const put = (...parts: (string | number)[]): void => {
    for (const part of parts) typeof part === "number" ? pickle.push(part) : pickle.push(...new TextEncoder().encode(part));
  };
  const text = (given: string): void => put("X", ...u32(new TextEncoder().encode(given).length), given);
  const integer = (given: number): void => put("J", ...u32(given));
  const write = (given: TorchValue): void => {
    if (given === null) put("N");
    else if (typeof given === "boolean") put(given ? 0x88 : 0x89);
    else if (typeof given === "string") text(given);
    else if (typeof given === "number" && Number.isInteger(given)) integer(given);
    else if (typeof given === "number") put("G", ...float64(given));
    else if (given instanceof Map) {
      put("ccollections\nOrderedDict\n)R(");
      for (const [key, item] of given as ReadonlyMap<string | number, TorchValue>) {
        write(key);
        write(item);
      }
      put("u");
    } else if (Array.isArray(given)) {
      put("(");
      for (const item of given as TorchValue[]) write(item);
      put("t");
    } else if (isHostTensor(given)) {
      const { shape, dtype, data } = given;
      const key = String(Object.keys(members).length - 1);
      members[`archive/data/${key}`] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      put("ctorch._utils\n_rebuild_tensor_v2\n((");
      text("storage");
      put(`ctorch\n${storages[dtype as keyof typeof storages]}\n`);
      text(key);
      text("cpu");
      integer(data.length);
      put("tQ");
      integer(0);
      write([...shape]);
      write(shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1)));
      put(0x89, "ccollections\nOrderedDict\n)RtR");
    } else throw new TypeError("Expected a value that torchFile() can write but found another");
  };
  write(value);
  put(".");
  members["archive/data.pkl"] = Uint8Array.from(pickle);
  return storedZip({ ...members, "archive/version": Uint8Array.of(0x33, 0x0a) });
}

/** A zip whose members are stored, as torch.save's are. */
export function storedZip(members: Readonly<Record<string, Uint8Array>>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: number[] = [];
  let at = 0;
  for (const [name, data] of Object.entries(members)) {
    const text = [...new TextEncoder().encode(name)];
    const sizes = [...u32(crc32(data)), ...u32(data.length), ...u32(data.length), ...u16(text.length)];
    directory.push(...u32(0x02014b50), ...u16(0), ...u16(0), ...u16(0), ...u16(0), ...u32(0), ...sizes);
    directory.push(...u16(0), ...u16(0), ...u16(0), ...u16(0), ...u32(0), ...u32(at), ...text);
    const header = Uint8Array.from([...u32(0x04034b50), ...u16(0), ...u16(0), ...u16(0), ...u32(0), ...sizes, ...u16(0), ...text]);
    parts.push(header, data);
    at += header.length + data.length;
  }
  const count = u16(Object.keys(members).length);
  const end = [...u32(0x06054b50), ...u16(0), ...u16(0), ...count, ...count, ...u32(directory.length), ...u32(at), ...u16(0)];
  parts.push(Uint8Array.from([...directory, ...end]));
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let to = 0;
  for (const part of parts) {
    whole.set(part, to);
    to += part.length;
  }
  return whole;
}

const storages = { f32: "FloatStorage", i32: "IntStorage", bool: "BoolStorage" } as const;

const u16 = (v: number): number[] => [v & 0xff, (v >>> 8) & 0xff];
const u32 = (v: number): number[] => [...u16(v & 0xffff), ...u16(v >>> 16)];

function float64(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [...new Uint8Array(view.buffer)];
}

function crc32(data: Uint8Array): number {
  let value = -1;
  for (const byte of data) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value;
}
