import { type BackwardOptions, backward } from "./autograd/backward.ts";
import type { TapeEntry } from "./autograd/node.ts";
import type { Range } from "./device/command.ts";
import type { Device } from "./device/device.ts";
import { ALIGNMENT, type Storage } from "./device/memory.ts";
import { BYTES, type DType, type TypedArray, toTypedArray } from "./dtype.ts";
import { AutogradError, ShapeError } from "./errors.ts";
import * as attention from "./ops/attention.ts";
import * as binary from "./ops/binary.ts";
import * as copy from "./ops/copy.ts";
import * as cumsum from "./ops/cumsum.ts";
import * as gather from "./ops/gather.ts";
import * as join from "./ops/join.ts";
import * as matmul from "./ops/matmul.ts";
import * as reduce from "./ops/reduce.ts";
import * as softmax from "./ops/softmax.ts";
import * as sort from "./ops/sort.ts";
import * as triangle from "./ops/triangle.ts";
import * as unary from "./ops/unary.ts";
import * as view from "./ops/view.ts";
import * as where from "./ops/where.ts";
import { format, rowMajorStrides, type Shape, sizeOf } from "./shape.ts";

/** How a tensor lies in its storage. */
export interface Layout {
  readonly shape: Shape;
  /** In elements, never negative. Default: row-major. */
  readonly strides?: readonly number[];
  /** First element's place in the storage, in elements. */
  readonly offset?: number;
  readonly dtype: DType;
}

type Operand = Tensor | number;
type Axes = number | readonly number[];

/**
 * An n-dimensional array on the GPU, with PyTorch's semantics in camelCase. A tensor is a view: shape and strides over a storage, so
 * `permute`, `slice`, `expand` and mostly `reshape` move no data. Ops return new tensors; nothing has to be disposed.
 *
 * Values live on the GPU: reading them is asynchronous (`await t.data()`, `await t.item()`), everything else is not.
 */
export class Tensor {
  readonly shape: Shape;
  readonly strides: readonly number[];
  offset: number;
  readonly dtype: DType;
  readonly device: Device;
  /** What this tensor is a view of. */
  storage: Storage;
  /** The gradient that `backward` has gathered, or null. */
  grad: Tensor | null = null;
  /** Whether a gradient is also kept here although this tensor is no leaf; see {@link Tensor.retainGrad}. */
  retainsGrad = false;
  /** The tape entry that made this tensor; undefined for leaves. */
  tape: TapeEntry | undefined;
  /** Which of the entry's outputs this is. */
  tapeIndex = 0;
  #leafWantsGrad = false;

  constructor(device: Device, storage: Storage, layout: Layout) {
    this.device = device;
    this.storage = storage;
    this.shape = layout.shape;
    this.strides = layout.strides ?? rowMajorStrides(layout.shape);
    this.offset = layout.offset ?? 0;
    this.dtype = layout.dtype;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** True if a gradient flows here: a leaf that wants one, or the result of ops on such. */
  get requiresGrad(): boolean {
    return this.#leafWantsGrad || this.tape !== undefined;
  }

  set requiresGrad(wanted: boolean) {
    if (this.tape) throw new AutogradError("Expected a leaf: requiresGrad of a computed tensor follows from its inputs; use detach()");
    if (wanted && this.dtype !== "f32") throw new AutogradError(`Expected an f32 tensor for a gradient but found ${this.dtype}`);
    this.#leafWantsGrad = wanted;
  }

  /** True if elements lie in row-major order without gaps. */
  get isContiguous(): boolean {
    let step = 1;
    for (let i = this.rank - 1; i >= 0; i--) {
      if (this.shape[i] !== 1 && this.strides[i] !== step) return false;
      step *= this.shape[i]!;
    }
    return true;
  }

  /** True if a kernel can be bound straight to this tensor: contiguous, and at an aligned place. */
  get isDense(): boolean {
    return this.isContiguous && (this.offset * BYTES) % ALIGNMENT === 0;
  }

  /** The bytes of a dense tensor, to bind a kernel to; {@link dense} makes any tensor so. */
  get range(): Range {
    if (!this.isDense)
      throw new ShapeError(
        `Expected a dense tensor to bind but found shape ${format(this.shape)} with strides ${format(this.strides)} at ${this.offset}`,
      );
    return { storage: this.storage, offset: this.offset * BYTES, bytes: this.size * BYTES };
  }

  /** The whole storage, to bind a kernel to that gets offset and strides as parameters. */
  get whole(): Range {
    return { storage: this.storage, offset: 0, bytes: this.storage.bytes };
  }

  toString(): string {
    return `Tensor(${format(this.shape)}, ${this.dtype}${this.requiresGrad ? ", requiresGrad" : ""})`;
  }

  // ---- reading ----

  /** The values in row-major order. Waits for all work given before. @throws CaptureError inside a captured step. */
  async data(): Promise<TypedArray> {
    const source = copy.dense(this);
    return toTypedArray(await this.device.download(source.range), this.dtype);
  }

  /** The value of a tensor with one element. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: expected one element but found shape ${format(this.shape)}`);
    return (await this.data())[0]!;
  }

  /** The values as nested arrays (a number for a scalar). */
  async array(): Promise<unknown> {
    const flat = await this.data();
    let at = 0;
    const nest = (axis: number): unknown =>
      axis === this.rank ? flat[at++] : Array.from({ length: this.shape[axis]! }, () => nest(axis + 1));
    return nest(0);
  }

  // ---- autograd ----

  /** Adds the gradient of this tensor to the `grad` of every leaf it depends on. */
  backward(options?: BackwardOptions): void {
    backward(this, options);
  }

  /** The same values without history. */
  detach(): Tensor {
    return new Tensor(this.device, this.storage, this);
  }

  /** Asks `backward` to keep the gradient of this computed tensor too. */
  retainGrad(): this {
    this.retainsGrad = true;
    return this;
  }

  /** For `apply`: marks this tensor as output `index` of a tape entry. */
  recordOnTape(entry: TapeEntry, index: number): void {
    this.tape = entry;
    this.tapeIndex = index;
  }

  // ---- copies and fills ----

  /** This tensor if it is contiguous, else a contiguous copy. */
  contiguous(): Tensor {
    return copy.contiguous(this);
  }
  /** A copy with memory of its own. */
  clone(): Tensor {
    return copy.clone(this);
  }
  /** Overwrites the values in place (no gradient). Shapes must broadcast to this one's. */
  copyFrom(source: Tensor): this {
    return copy.copyInto(this, source) as this;
  }
  /** Sets every element in place (no gradient). */
  fill(value: number): this {
    return copy.fill(this, value) as this;
  }
  /** Conversion to another dtype; f32 to integers truncates towards zero. */
  to(dtype: DType): Tensor {
    return unary.cast(this, dtype);
  }
  zerosLike(): Tensor {
    return copy.full(this.shape, 0, { dtype: this.dtype, device: this.device });
  }
  onesLike(): Tensor {
    return copy.full(this.shape, 1, { dtype: this.dtype, device: this.device });
  }

  // ---- views ----

  reshape(shape: Shape): Tensor {
    return view.reshape(this, shape);
  }
  permute(axes: readonly number[]): Tensor {
    return view.permute(this, axes);
  }
  transpose(a: number, b: number): Tensor {
    return view.transpose(this, a, b);
  }
  /** Broadcasts to a larger shape; −1 keeps an axis. */
  expand(shape: Shape): Tensor {
    return view.expand(this, shape);
  }
  /** One `[from, to, step]` per axis: `[]` is all of it, negative places count from the end, null means the end. */
  slice(slices: readonly (readonly (number | null | undefined)[])[]): Tensor {
    return view.slice(this, slices);
  }
  /** `length` elements of an axis from `start`. */
  narrow(axis: number, range: { start: number; length: number }): Tensor {
    return view.narrow(this, axis, range);
  }
  /** One place of an axis; the axis disappears. */
  select(axis: number, index: number): Tensor {
    return view.select(this, axis, index);
  }
  squeeze(axis?: Axes): Tensor {
    return view.squeeze(this, axis);
  }
  unsqueeze(axis: number): Tensor {
    return view.unsqueeze(this, axis);
  }
  flatten(start = 0, end = -1): Tensor {
    return view.flatten(this, start, end);
  }
  /** Pieces of the given sizes along an axis. */
  split(sizes: number | readonly number[], axis = 0): Tensor[] {
    return view.split(this, sizes, axis);
  }
  chunk(count: number, axis = 0): Tensor[] {
    return view.chunk(this, count, axis);
  }

  // ---- elementwise ----

  neg(): Tensor {
    return unary.neg(this);
  }
  exp(): Tensor {
    return unary.exp(this);
  }
  log(): Tensor {
    return unary.log(this);
  }
  sqrt(): Tensor {
    return unary.sqrt(this);
  }
  rsqrt(): Tensor {
    return unary.rsqrt(this);
  }
  abs(): Tensor {
    return unary.abs(this);
  }
  sign(): Tensor {
    return unary.sign(this);
  }
  square(): Tensor {
    return unary.square(this);
  }
  reciprocal(): Tensor {
    return unary.reciprocal(this);
  }
  sin(): Tensor {
    return unary.sin(this);
  }
  cos(): Tensor {
    return unary.cos(this);
  }
  tanh(): Tensor {
    return unary.tanh(this);
  }
  sigmoid(): Tensor {
    return unary.sigmoid(this);
  }
  relu(): Tensor {
    return unary.relu(this);
  }
  /** GELU; `approximate` is `"tanh"` (GPT-2's, the default of this engine is torch's `"none"`). */
  gelu(options?: { approximate?: "tanh" | "none" }): Tensor {
    return unary.gelu(this, options);
  }
  silu(): Tensor {
    return unary.silu(this);
  }
  softplus(): Tensor {
    return unary.softplus(this);
  }
  erf(): Tensor {
    return unary.erf(this);
  }
  floor(): Tensor {
    return unary.floor(this);
  }
  ceil(): Tensor {
    return unary.ceil(this);
  }
  /** Rounds half to even, as torch. */
  round(): Tensor {
    return unary.round(this);
  }
  clamp(limits: { min?: number; max?: number }): Tensor {
    return unary.clamp(this, limits);
  }
  isNan(): Tensor {
    return unary.isNan(this);
  }
  logicalNot(): Tensor {
    return unary.logicalNot(this);
  }

  add(other: Operand): Tensor {
    return binary.add(this, other);
  }
  sub(other: Operand): Tensor {
    return binary.sub(this, other);
  }
  mul(other: Operand): Tensor {
    return binary.mul(this, other);
  }
  div(other: Operand): Tensor {
    return binary.div(this, other);
  }
  pow(other: Operand): Tensor {
    return binary.pow(this, other);
  }
  maximum(other: Operand): Tensor {
    return binary.maximum(this, other);
  }
  minimum(other: Operand): Tensor {
    return binary.minimum(this, other);
  }
  eq(other: Operand): Tensor {
    return binary.eq(this, other);
  }
  ne(other: Operand): Tensor {
    return binary.ne(this, other);
  }
  lt(other: Operand): Tensor {
    return binary.lt(this, other);
  }
  le(other: Operand): Tensor {
    return binary.le(this, other);
  }
  gt(other: Operand): Tensor {
    return binary.gt(this, other);
  }
  ge(other: Operand): Tensor {
    return binary.ge(this, other);
  }
  logicalAnd(other: Tensor): Tensor {
    return binary.logicalAnd(this, other);
  }
  logicalOr(other: Tensor): Tensor {
    return binary.logicalOr(this, other);
  }
  /** `value` wherever `mask` is true. */
  maskedFill(mask: Tensor, value: number): Tensor {
    return where.maskedFill(this, mask, value);
  }

  // ---- reductions ----

  sum(options?: reduce.ReduceOptions): Tensor {
    return reduce.sum(this, options);
  }
  mean(options?: reduce.ReduceOptions): Tensor {
    return reduce.mean(this, options);
  }
  /** Largest value; equal maxima share the gradient, as torch's `amax`. */
  amax(options?: reduce.ReduceOptions): Tensor {
    return reduce.amax(this, options);
  }
  amin(options?: reduce.ReduceOptions): Tensor {
    return reduce.amin(this, options);
  }
  prod(options?: reduce.ReduceOptions): Tensor {
    return reduce.prod(this, options);
  }
  var(options?: reduce.ReduceOptions & { correction?: number }): Tensor {
    return reduce.variance(this, options);
  }
  std(options?: reduce.ReduceOptions & { correction?: number }): Tensor {
    return reduce.std(this, options);
  }
  /** p-norm, p = 1, 2 or Infinity; default 2. */
  norm(options?: reduce.ReduceOptions & { p?: number }): Tensor {
    return reduce.norm(this, options);
  }
  argmax(options?: { axis?: number; keepDims?: boolean }): Tensor {
    return reduce.argmax(this, options);
  }
  argmin(options?: { axis?: number; keepDims?: boolean }): Tensor {
    return reduce.argmin(this, options);
  }
  logsumexp(options?: reduce.ReduceOptions): Tensor {
    return reduce.logsumexp(this, options);
  }
  any(options?: reduce.ReduceOptions): Tensor {
    return reduce.any(this, options);
  }
  all(options?: reduce.ReduceOptions): Tensor {
    return reduce.all(this, options);
  }
  countNonzero(options?: reduce.ReduceOptions): Tensor {
    return reduce.countNonzero(this, options);
  }
  softmax(options: { axis: number }): Tensor {
    return softmax.softmax(this, options);
  }
  logSoftmax(options: { axis: number }): Tensor {
    return softmax.logSoftmax(this, options);
  }
  cumsum(options: { axis: number }): Tensor {
    return cumsum.cumsum(this, options);
  }

  // ---- order, indexing, joining ----

  sort(options?: { axis?: number; descending?: boolean }): { values: Tensor; indices: Tensor } {
    return sort.sort(this, options);
  }
  argsort(options?: { axis?: number; descending?: boolean }): Tensor {
    return sort.sort(this, options).indices;
  }
  topk(k: number, options?: { axis?: number; largest?: boolean }): { values: Tensor; indices: Tensor } {
    return sort.topk(this, k, options);
  }
  gather(index: Tensor, options: { axis: number }): Tensor {
    return gather.gather(this, index, options);
  }
  indexSelect(index: Tensor, options: { axis: number }): Tensor {
    return gather.indexSelect(this, index, options);
  }
  scatterAdd(index: Tensor, source: Tensor, options: { axis: number }): Tensor {
    return gather.scatterAdd(this, index, source, options);
  }
  pad(options: join.PadOptions | join.Padding): Tensor {
    return join.pad(this, options);
  }
  flip(options: { axis: Axes }): Tensor {
    return join.flip(this, options);
  }
  tril(options?: { diagonal?: number }): Tensor {
    return triangle.tril(this, options);
  }
  triu(options?: { diagonal?: number }): Tensor {
    return triangle.triu(this, options);
  }

  // ---- products ----

  matmul(other: Tensor): Tensor {
    return matmul.matmul(this, other);
  }
  scaledDotProductAttention(key: Tensor, value: Tensor, options?: attention.AttentionOptions): Tensor {
    return attention.scaledDotProductAttention(this, key, value, options);
  }
}
