/**
 * Files of `torch.save` since PyTorch 1.6: a zip of stored members, `NAME/data.pkl` with a pickle of whatever was saved, in which tensors
 * name their storages, and `NAME/data/KEY` with each storage's bytes. Files from anyone can be read: nothing in them is run, every name but
 * those of tensors is refused, and what is allocated is bounded by the file's size.
 */
import type { HostTensor } from "./host_tensor.ts";
import { type StoredDType, storedDTypes } from "./stored_dtypes.ts";
import { StoredZip } from "./stored_zip.ts";
import { quote, TorchFileError } from "./torch_file_error.ts";
import { PickleGlobal, unpickle } from "./unpickle.ts";

/** What `torch.save` can have saved: dicts are Maps, lists and tuples arrays, None null, tensors {@linkcode HostTensor}s. */
export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | HostTensor
  | readonly TorchValue[]
  | ReadonlyMap<string | number, TorchValue>;

/** Classes of storages, and how their elements lie in the file. */
const storageDTypes: ReadonlyMap<string, string> = new Map([
  ["torch.DoubleStorage", "F64"],
  ["torch.FloatStorage", "F32"],
  ["torch.HalfStorage", "F16"],
  ["torch.BFloat16Storage", "BF16"],
  ["torch.LongStorage", "I64"],
  ["torch.IntStorage", "I32"],
  ["torch.ShortStorage", "I16"],
  ["torch.CharStorage", "I8"],
  ["torch.ByteStorage", "U8"],
  ["torch.BoolStorage", "BOOL"],
]);

/** Elements that a file's tensors may always have; above it, four times as many as the file has bytes. */
const ELEMENTS_AT_LEAST = 2 ** 20;

/** Axes that a tensor may have: more than any has. */
const MAX_RANK = 32;

/** Elements in the file, which several tensors may share. */
class Storage {
  readonly name: string;
  readonly stored: StoredDType;
  readonly length: number;
  readonly #bytes: Uint8Array;
  #data: HostTensor["data"] | undefined;

  constructor(name: string, bytes: Uint8Array, { stored, length }: { readonly stored: StoredDType; readonly length: number }) {
    if (bytes.length !== length * stored.size)
      throw new TorchFileError(`Expected ${length * stored.size} bytes in storage ${quote(name)} but found ${bytes.length}`);
    this.name = name;
    this.stored = stored;
    this.length = length;
    this.#bytes = bytes;
  }

  /** Decoded when first asked for: an optimizer's moments may never be. */
  get data(): HostTensor["data"] {
    try {
      this.#data ??= this.stored.decode(this.#bytes.slice().buffer); // a copy is aligned, wherever the bytes lay in the file
    } catch (error) {
      throw new TorchFileError(`Cannot read storage ${quote(this.name)}: ${(error as Error).message}`);
    }
    return this.#data;
  }
}

/** Whether a value of {@link readTorchFile} is a tensor. */
export function isHostTensor(value: TorchValue | undefined): value is HostTensor {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map) && !(value instanceof Uint8Array);
}

/**
 * Reads what `torch.save(value, file)` wrote. Floats come as f32 (float64 rounded, float16 and bfloat16 widened), signed integers as i32,
 * uint8 as u32; strided views and shared storages become dense tensors of their own. `requires_grad` and devices are left out.
 *
 * @throws {TorchFileError} for a damaged, cut-off or foreign file, for any other object in it, by its name, and for files of the form before
 * PyTorch 1.6.
 * @example
 * ```ts
 * const checkpoint = readTorchFile(await readFile("best_checkpoint.pt"));
 * if (checkpoint instanceof Map) model.loadStateDict(torchStateDict(checkpoint.get("model_state_dict")));
 * ```
 */
export function readTorchFile(bytes: Uint8Array): TorchValue {
  if (bytes[0] === 0x80 && bytes[2] === 0x8a)
    throw new TorchFileError(
      "Expected a zip, as torch.save writes since PyTorch 1.6, but found the older form: load and save it again with torch",
    );
  const zip = new StoredZip(bytes);
  const pickles = zip.names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1)
    throw new TorchFileError(`Expected one data.pkl in the zip but found ${pickles.length}: torch.save did not write it`);
  const folder = pickle.slice(0, -"/data.pkl".length);
  if (zip.has(`${folder}/byteorder`)) {
    const order = new TextDecoder().decode(zip.read(`${folder}/byteorder`));
    if (order !== "little") throw new TorchFileError(`Expected little-endian numbers but found byte order ${quote(order)}`);
  }

  const storages = new Map<string, Storage>();
  let elementsLeft = Math.max(ELEMENTS_AT_LEAST, 4 * bytes.length);
  const spend = (elements: number): void => {
    elementsLeft -= elements;
    if (elementsLeft < 0)
      throw new TorchFileError("Expected tensors of about the file's size but found far more elements: views or storages that repeat them");
  };
  const rebuildTensor = (args: readonly unknown[]): HostTensor => {
    const view = checkView(args);
    const count = view.size.reduce((product, length) => product * length, 1);
    spend(count);
    return { shape: view.size, dtype: view.storage.stored.dtype, data: gather(view, count) };
  };
  const calls = new Map<string, (args: readonly unknown[]) => unknown>([
    ["collections.OrderedDict", orderedDict],
    ["torch.Size", ([sizes]) => sizes],
    ["torch._utils._rebuild_tensor_v2", rebuildTensor],
    ["torch._utils._rebuild_parameter", ([tensor]) => tensor],
    ...[...storageDTypes.keys()].map((path) => [path, refuseCall(path)] as const),
  ]);
  return unpickle(zip.read(pickle), {
    find: (path) => calls.get(path),
    persistent: (id) => {
      const { key, stored, length } = checkStorageId(id);
      const known = storages.get(key);
      if (known) {
        if (known.stored !== stored || known.length !== length)
          throw new TorchFileError(`Expected one dtype and length of storage ${quote(key)} but found two`);
        return known;
      }
      spend(length);
      const storage = new Storage(key, zip.read(`${folder}/data/${key}`), { stored, length });
      storages.set(key, storage);
      return storage;
    },
    isInternal: (value) => value instanceof Storage,
  }) as TorchValue;
}

/**
 * A dict of tensors as a state dict.
 * @throws {TorchFileError} if it is something else; `what` says of what in the message.
 */
export function torchStateDict(value: TorchValue | undefined, what = "the file"): Map<string, HostTensor> {
  if (!(value instanceof Map)) throw new TorchFileError(`Expected a dict of tensors in ${what} but found ${describe(value)}`);
  const state = new Map<string, HostTensor>();
  for (const [name, tensor] of value as ReadonlyMap<string | number, TorchValue>) {
    if (!isHostTensor(tensor))
      throw new TorchFileError(`Expected ${quote(String(name))} in ${what} to be a tensor but found ${describe(tensor)}`);
    state.set(String(name), tensor);
  }
  return state;
}

function describe(value: TorchValue | undefined): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return quote(value);
  if (typeof value !== "object" || value === null) return String(value);
  return isHostTensor(value) ? "a tensor" : value instanceof Map ? "a dict" : Array.isArray(value) ? "a list" : "bytes";
}

/** Arguments of `_rebuild_tensor_v2`: where in a storage the elements of a tensor lie. */
interface View {
  readonly storage: Storage;
  readonly offset: number;
  readonly size: readonly number[];
  readonly stride: readonly number[];
}

function checkView([storage, offset, size, stride]: readonly unknown[]): View {
  const areAxes = areCounts(size) && areCounts(stride) && size.length === stride.length && size.length <= MAX_RANK;
  if (!(storage instanceof Storage) || !isCount(offset) || !areAxes)
    throw new TorchFileError("Expected a tensor's storage, offset, sizes and strides but found something else");
  const isEmpty = size.includes(0);
  const end = isEmpty ? 0 : size.reduce((last, length, axis) => last + (length - 1) * stride[axis]!, offset) + 1;
  if (end > storage.length)
    throw new TorchFileError(
      `Expected ${end} elements in storage ${quote(storage.name)} for a tensor [${size.join(", ")}] but found ${storage.length}`,
    );
  return { storage, offset, size, stride };
}

/** A view's elements, row-major. */
function gather({ storage, offset, size, stride }: View, count: number): HostTensor["data"] {
  const { data } = storage;
  let dense = 1;
  let isContiguous = true;
  for (let axis = size.length - 1; axis >= 0; axis--) {
    if (size[axis] !== 1 && stride[axis] !== dense) isContiguous = false;
    dense *= size[axis]!;
  }
  if (isContiguous || count === 0) return data.slice(offset, offset + count);

  const result = data.slice(0, 0).constructor as unknown as new (length: number) => HostTensor["data"];
  const out = new result(count);
  const at = size.map(() => 0);
  let from = offset;
  for (let i = 0; i < count; i++) {
    out[i] = data[from]!;
    for (let axis = size.length - 1; axis >= 0; axis--) {
      from += stride[axis]!;
      if (++at[axis]! < size[axis]!) break;
      from -= size[axis]! * stride[axis]!;
      at[axis] = 0;
    }
  }
  return out;
}

/** `('storage', class, key, device, elements)` */
function checkStorageId(id: unknown): { key: string; stored: StoredDType; length: number } {
  if (Array.isArray(id)) {
    const [kind, type, key, , length] = id as unknown[];
    const dtype = type instanceof PickleGlobal ? storageDTypes.get(type.path) : undefined;
    if (kind === "storage" && dtype !== undefined && typeof key === "string" && isCount(length))
      return { key, stored: storedDTypes.get(dtype)!, length };
  }
  throw new TorchFileError("Expected a storage's class, key and length but found something else");
}

/** OrderedDicts are made empty and filled afterwards. */
function orderedDict(args: readonly unknown[]): Map<unknown, unknown> {
  if (args.length > 0) throw new TorchFileError("Expected an empty OrderedDict to fill but found one made from something else");
  return new Map();
}

function refuseCall(path: string): () => never {
  return () => {
    throw new TorchFileError(`Expected ${path} to name a storage's type but found a call of it`);
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function areCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}
