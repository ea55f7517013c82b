/**
 * Python's pickle (https://docs.python.org/3/library/pickletools.html), as much of it as plain values and calls of known functions need.
 * A pickle is a program for a machine with a stack; unpickling a stranger's can run anything. This machine runs nothing: the only names
 * that it knows are those that it is given.
 */
import { quote, TorchFileError } from "./torch_file_error.ts";

/** What a pickle's names stand for. */
export interface PickleNames {
  /** What `module.name` becomes when it is called; undefined for a name that is refused. */
  find(path: string): ((args: readonly unknown[]) => unknown) | undefined;
  /** What a persistent id stands for. */
  persistent(id: unknown): unknown;
  /** Whether something is only good as an argument of a call, not as a value in a list or a dict. */
  isInternal(value: unknown): boolean;
}

/** A name that the pickle may call, and that it may hand to {@link PickleNames.persistent}. */
export class PickleGlobal {
  readonly path: string;
  readonly call: (args: readonly unknown[]) => unknown;

  constructor(path: string, call: (args: readonly unknown[]) => unknown) {
    this.path = path;
    this.call = call;
  }
}

/** Where a list or a tuple begins on the stack. */
const MARK = Symbol("mark");

/**
 * Runs a pickle. None becomes null, a dict a `Map`, lists and tuples arrays, integers numbers (bigint beyond 2⁵³), bytes `Uint8Array`.
 *
 * @throws {TorchFileError} for a name that is not known, and for anything that is no whole pickle.
 */
export function unpickle(bytes: Uint8Array, names: PickleNames): unknown {
  return new Machine(bytes, names).run();
}

class Machine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #names: PickleNames;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  /** Tuples that hold what is only good as an argument. */
  readonly #internalTuples = new WeakSet<object>();
  #at = 0;

  constructor(bytes: Uint8Array, names: PickleNames) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#names = names;
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#u8();
      if (opcode === 0x2e) return this.#value(this.#pop()); // STOP
      this.#step(opcode);
    }
  }

  /** One instruction; names and numbers are pickletools'. */
  #step(opcode: number): void {
    const stack = this.#stack;
    // biome-ignore format: an instruction a line
    switch (opcode) {
      case 0x80: this.#protocol(); return; // PROTO
      case 0x95: this.#skip(8); return; // FRAME
      case 0x28: stack.push(MARK); return;
      case 0x30: this.#pop(); return; // POP
      case 0x4e: stack.push(null); return; // NONE
      case 0x88: stack.push(true); return; // NEWTRUE
      case 0x89: stack.push(false); return; // NEWFALSE
      case 0x4b: stack.push(this.#u8()); return; // BININT1
      case 0x4d: stack.push(this.#u16()); return; // BININT2
      case 0x4a: stack.push(this.#u32() | 0); return; // BININT
      case 0x8a: stack.push(this.#long(this.#u8())); return; // LONG1
      case 0x47: stack.push(this.#view.getFloat64(this.#skip(8), false)); return; // BINFLOAT
      case 0x58: stack.push(this.#text(this.#u32())); return; // BINUNICODE
      case 0x8c: stack.push(this.#text(this.#u8())); return; // SHORT_BINUNICODE
      case 0x42: stack.push(this.#raw(this.#u32())); return; // BINBYTES
      case 0x43: stack.push(this.#raw(this.#u8())); return; // SHORT_BINBYTES
      case 0x29: stack.push([]); return; // EMPTY_TUPLE
      case 0x85: this.#tuple(this.#take(1)); return; // TUPLE1
      case 0x86: this.#tuple(this.#take(2)); return; // TUPLE2
      case 0x87: this.#tuple(this.#take(3)); return; // TUPLE3
      case 0x74: this.#tuple(this.#popMark()); return; // TUPLE
      case 0x5d: stack.push([]); return; // EMPTY_LIST
      case 0x61: this.#append(this.#take(1)); return; // APPEND
      case 0x65: this.#append(this.#popMark()); return; // APPENDS
      case 0x7d: stack.push(new Map()); return; // EMPTY_DICT
      case 0x73: this.#setItems(this.#take(2)); return; // SETITEM
      case 0x75: this.#setItems(this.#popMark()); return; // SETITEMS
      case 0x71: this.#memo.set(this.#u8(), this.#top()); return; // BINPUT
      case 0x72: this.#memo.set(this.#u32(), this.#top()); return; // LONG_BINPUT
      case 0x94: this.#memo.set(this.#memo.size, this.#top()); return; // MEMOIZE
      case 0x68: this.#recall(this.#u8()); return; // BINGET
      case 0x6a: this.#recall(this.#u32()); return; // LONG_BINGET
      case 0x63: this.#global(this.#line(), this.#line()); return; // GLOBAL
      case 0x93: this.#global(...(this.#take(2) as [unknown, unknown])); return; // STACK_GLOBAL
      case 0x52: this.#reduce(); return; // REDUCE
      case 0x62: this.#build(); return; // BUILD
      case 0x51: stack.push(this.#names.persistent(this.#pop())); return; // BINPERSID
      default:
        throw this.#error(`an instruction that checkpoints are made of but found 0x${opcode.toString(16).padStart(2, "0")}`);
    }
  }

  #protocol(): void {
    const version = this.#u8();
    if (version < 2 || version > 5) throw this.#error(`pickle protocol 2 to 5 but found ${version}`);
  }

  #tuple(items: unknown[]): void {
    if (items.some((item) => this.#isInternal(item))) this.#internalTuples.add(items);
    this.#stack.push(items);
  }

  #append(items: unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#error("a list to append to but found something else");
    for (const item of items) list.push(this.#value(item));
  }

  #setItems(items: unknown[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map) || items.length % 2) throw this.#error("a dict and pairs for it but found something else");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== "string" && typeof key !== "number")
        throw this.#error("text or a number as the key of a dict but found something else");
      dict.set(key, this.#value(items[i + 1]));
    }
  }

  #recall(key: number): void {
    if (!this.#memo.has(key)) throw this.#error(`a value noted as ${key} but found none`);
    this.#stack.push(this.#memo.get(key));
  }

  #global(module: unknown, name: unknown): void {
    const path = `${module}.${name}`;
    const call = typeof module === "string" && typeof name === "string" ? this.#names.find(path) : undefined;
    if (!call)
      throw new TorchFileError(
        `Expected tensors and plain values alone but found ${quote(path)}: what it does when read is up to the file, so it is refused`,
      );
    this.#stack.push(new PickleGlobal(path, call));
  }

  #reduce(): void {
    const [callee, args] = this.#take(2);
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) throw this.#error("a call but found something else");
    this.#stack.push(callee.call(args));
  }

  /** Attributes of an object: of an OrderedDict, state_dict's `_metadata`, which no reader needs. */
  #build(): void {
    this.#pop();
    if (!(this.#top() instanceof Map)) throw this.#error("attributes of a dict but found those of something else");
  }

  #isInternal(value: unknown): boolean {
    if (value instanceof PickleGlobal || this.#names.isInternal(value)) return true;
    return typeof value === "object" && value !== null && this.#internalTuples.has(value);
  }

  /** Something that may lie in a list or a dict. */
  #value(value: unknown): unknown {
    if (this.#isInternal(value))
      throw this.#error(`a value but found ${value instanceof PickleGlobal ? quote(value.path) : "a storage"} by itself`);
    return value;
  }

  #pop(): unknown {
    const [value] = this.#take(1);
    return value;
  }

  #top(): unknown {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw this.#error("a value on the stack but found none");
    return value;
  }

  #take(count: number): unknown[] {
    const taken = this.#stack.splice(Math.max(0, this.#stack.length - count), count);
    if (taken.length < count || taken.includes(MARK)) throw this.#error("more values on the stack but found too few");
    return taken;
  }

  #popMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#error("a mark on the stack but found none");
    return this.#stack.splice(mark).slice(1);
  }

  #u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  #u16(): number {
    return this.#view.getUint16(this.#skip(2), true);
  }

  #u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  /** A little-endian two's-complement integer of any length. */
  #long(length: number): number | bigint {
    const digits = this.#raw(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i]!);
    value = BigInt.asIntN(8 * length, value);
    return BigInt(Number.MIN_SAFE_INTEGER) <= value && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  #raw(length: number): Uint8Array {
    const start = this.#skip(length);
    return this.#bytes.slice(start, start + length);
  }

  #text(length: number): string {
    const start = this.#skip(length);
    return new TextDecoder().decode(this.#bytes.subarray(start, start + length));
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    const text = this.#text((end < 0 ? this.#bytes.length : end) - this.#at);
    this.#skip(1);
    return text;
  }

  /** Where the next `length` bytes lie. */
  #skip(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw this.#error(`${length} more bytes but found ${this.#bytes.length - start}`);
    this.#at += length;
    return start;
  }

  #error(rest: string): TorchFileError {
    return new TorchFileError(`Cannot read the pickle at byte ${this.#at}: expected ${rest}`);
  }
}
