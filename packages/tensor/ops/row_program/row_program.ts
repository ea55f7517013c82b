import { planMemory } from "../../capture/plan.ts";
import { tensor } from "../../create.ts";
import type { Device } from "../../device/device.ts";
import { type Kernel, kernel } from "../../device/kernel.ts";
import { CaptureError, DTypeError, ShapeError } from "../../errors.ts";
import { format } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import type { KeyValueCache } from "../attention/key_value_cache.ts";
import { empty } from "../copy.ts";
import type { LinearParameters } from "../feed_forward.ts";
import { checkIndex } from "../index_select.ts";
import { Constants } from "./constants.ts";

/** A vector that a step of a {@link RowProgram} makes, one a row. */
export interface RowVector {
  readonly id: number;
  readonly size: number;
}

/** Scale and shift of a layer normalisation, `[C]` or null, and what is added to the variance. */
export interface LayerNormParameters {
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly eps: number;
}

/** What {@link RowProgram.linear} does besides. */
export interface RowLinearOptions {
  /** Applied to the product and its bias: GELU in its tanh form. */
  readonly activation?: "gelu";
  /** Added to the result. */
  readonly residual?: RowVector;
}

/** Words of a step: see `shaders/row_program.wgsl`. `from`, `other` and `to` become places when all steps are known. */
interface Step {
  readonly kind: (typeof KINDS)[number];
  readonly from: RowVector | undefined;
  readonly other: RowVector | undefined;
  readonly to: RowVector;
  readonly words: (place: (vector: RowVector | undefined) => number) => readonly number[];
}

const KINDS = ["pick", "norm", "linear", "attend"] as const;
const NONE = 0xffffffff;

/** Which kernel a device runs. */
interface Form {
  readonly shader: "row_program" | "row_program_panel";
  /** Invocations to a row: a SIMD register's on software adapters, where more would only wait for each other. */
  readonly lanes: number;
  /** Columns of a product that each takes at once. */
  readonly columns: number;
}

function formOf({ family, subgroupSize }: Device): Form {
  if (family === "tile") return { shader: "row_program", lanes: 64, columns: 2 };
  if (family === "panel" && [4, 8, 16].includes(subgroupSize)) return { shader: "row_program_panel", lanes: subgroupSize, columns: 4 };
  return { shader: "row_program", lanes: 16, columns: 4 };
}

/** Kernels keep a head's row in registers, spelled out. */
const WIDEST_HEAD = 32;
/** Bytes of workgroup memory that every adapter has; vectors in private memory may take as much. */
const WORKGROUP_BYTES = 16_384;
/** Elements of all vectors come in multiples of these, so that programs share pipelines, and those of one so that it starts with the first lane. */
const VECTORS_STEP = 1024;
const VECTOR_STEP = 16;

/**
 * A small computation on vectors that is the same for each of a few rows, run as one launch: a workgroup has a row and goes through the steps,
 * its vectors in workgroup memory, or in its lanes' own where they are a subgroup. For models so small that launching costs more than computing, a token at a time. No gradients.
 *
 * The parameters are those of the last {@link load}, which copies them. The last step's vector is the result.
 *
 * @example
 * ```ts
 * const program = new RowProgram({ rows: B, device });
 * const x = program.pick(table, { id: 0 });                    // [C] of each row
 * const hidden = program.linear(program.layerNorm(x, norm), up, { activation: "gelu" });
 * program.linear(hidden, down, { residual: x });
 * program.load();
 * const y = program.run(ids);                                  // i32 [B, 1] → [B, C]
 * ```
 */
export class RowProgram {
  readonly rows: number;
  readonly device: Device;
  readonly #constants: Constants;
  readonly #steps: Step[] = [];
  readonly #caches: { readonly cache: KeyValueCache; readonly what: "append" | "attend" }[] = [];
  #vectors = 0;
  #ids = 0;
  #built: { readonly steps: Tensor; readonly floats: number } | undefined;

  constructor({ rows, device }: { readonly rows: number; readonly device: Device }) {
    this.rows = rows;
    this.device = device;
    this.#constants = new Constants(device);
  }

  /** Row `ids[row, id]` of a table `[V, C]`, plus another vector; NaN where there is no such row. */
  pick(table: Tensor, options: { readonly id: number; readonly plus?: RowVector }): RowVector {
    const { id, plus } = options;
    const [count, size] = this.#matrix("pick", table);
    this.#expectSize("pick", plus, size);
    this.#ids = Math.max(this.#ids, id + 1);
    const place = this.#constants.place(table, "table");
    return this.#step("pick", { size, other: plus, words: (at) => [id, count, place, at(plus), 0, 0, 0, 0] });
  }

  /** (x − mean) / √(variance + eps) · weight + bias. */
  layerNorm(x: RowVector, { weight, bias, eps }: LayerNormParameters): RowVector {
    const places = [weight, bias].map((p) => this.#vector("layerNorm", p, x.size));
    return this.#step("norm", { size: x.size, from: x, words: (at) => [at(x), ...places, bitsOf(eps), 0, 0, 0, 0] });
  }

  /** activation(weight · x + bias) + residual, weight `[out, in]`, bias `[out]` or null. */
  linear(x: RowVector, { weight, bias }: LinearParameters, { activation, residual }: RowLinearOptions = {}): RowVector {
    const [size, length] = this.#matrix("linear", weight);
    this.#expectSize("linear", x, length);
    this.#expectSize("linear", residual, size);
    const places = [this.#constants.place(weight, "weight"), this.#vector("linear", bias, size)];
    const isGelu = Number(activation === "gelu");
    return this.#step("linear", {
      size,
      from: x,
      other: residual,
      words: (at) => [at(x), length, ...places, isGelu, at(residual), 0, 0],
    });
  }

  /** `x` is a query, a key and a value of all heads, `[3 · H · D]`: puts the latter two into the cache, as `KeyValueCache.append`. → `[H · D]` */
  append(x: RowVector, cache: KeyValueCache): RowVector {
    return this.#attend(x, { cache, what: "append" });
  }

  /** The attention of a query of all heads, `[H · D]`, to what a cache holds, as `KeyValueCache.attend`. → `[H · D]` */
  attend(x: RowVector, cache: KeyValueCache): RowVector {
    return this.#attend(x, { cache, what: "attend" });
  }

  /** Why it cannot be run as one launch on any device, or on this one; undefined if it can. */
  get obstacle(): string | undefined {
    const { headSize = 1, memory } = this.#caches[0]?.cache ?? {};
    const bytes = 4 * this.#build().floats + scratchBytes(formOf(this.device), headSize);
    const limits = this.device.limits;
    if (bytes > WORKGROUP_BYTES) return `vectors of ${WORKGROUP_BYTES} bytes in all but found ${bytes}`;
    if (headSize > WIDEST_HEAD) return `heads of at most ${WIDEST_HEAD} elements but found ${headSize}`;
    if (this.#caches.some(({ cache }) => cache.headSize !== headSize || cache.memory.keys.storage !== memory!.keys.storage))
      return "caches of one head size that lie together";
    if (4 * this.#constants.size > Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize))
      return `parameters that can be bound at once but found ${4 * this.#constants.size} bytes`;
    if (this.rows > limits.maxComputeWorkgroupsPerDimension)
      return `at most ${limits.maxComputeWorkgroupsPerDimension} rows but found ${this.rows}`;
    return undefined;
  }

  /** Copies the parameters' values of now into the program. Not inside of a captured step, which goes on with what it finds there. */
  load(): void {
    if (this.device.isRecording) throw new CaptureError("Expected RowProgram.load() outside of a captured step");
    this.#constants.load();
  }

  /**
   * Runs the steps on all rows. ids: i32 or u32 `[rows, n]`, what tables are asked for. → `[rows, size]`, the last step's vectors.
   * @throws ShapeError if the program cannot be run as one launch, or is not loaded. @throws RangeError at the run that finds a cache full.
   */
  run(ids: Tensor): Tensor {
    const { device, rows } = this;
    checkIndex("RowProgram", ids);
    const last = this.#steps.at(-1);
    const reason = last ? this.obstacle : "a step at least";
    if (!last || reason) throw new ShapeError(`RowProgram: expected ${reason}`);
    const expected = [rows, Math.max(1, this.#ids)];
    if (format(ids.shape) !== format(expected))
      throw new ShapeError(`RowProgram: expected ids ${format(expected)} but found ${format(ids.shape)}`);
    const constants = this.#constants.memory;
    if (!constants) throw new ShapeError("RowProgram: expected parameters but found none: load() copies them");
    const result = empty([rows, last.to.size], { device });
    const { steps, floats } = this.#build();
    const { headSize = 1, memory } = this.#caches[0]?.cache ?? {};
    const unused = (): Tensor => empty([4], { device });
    device.run(kernelFor(formOf(device), { D4: Math.ceil(headSize / 4), FLOATS: floats }), {
      bindings: {
        steps,
        constants,
        ids: ids.isDense ? ids : ids.clone(),
        keys: memory?.keys.whole ?? unused(),
        values: memory?.values.whole ?? unused(),
        result,
      },
      params: {
        steps: this.#steps.length,
        ids: ids.shape[1]!,
        resultSize: last.to.size,
        grown: () => this.#lengthOf("append"),
        kept: () => this.#lengthOf("attend"),
        missing: 0x7fc00000,
      },
      workgroups: rows,
    });
    for (const { cache, what } of this.#caches) if (what === "append") device.hostEffect(() => cache.grow());
    return result;
  }

  /** Gives the memory of the parameters back now. */
  release(): void {
    this.#constants.release();
    this.#built?.steps.storage.release();
    this.#built = undefined;
  }

  #attend(x: RowVector, use: { readonly cache: KeyValueCache; readonly what: "append" | "attend" }): RowVector {
    const { cache, what } = use;
    const { heads, headSize, capacity, memory } = cache;
    const size = heads * headSize;
    const isAppending = what === "append";
    this.#expectSize(what, x, isAppending ? 3 * size : size);
    if (cache.batch !== this.rows)
      throw new ShapeError(`RowProgram.${what}: expected a cache of ${this.rows} rows but found ${cache.batch}`);
    this.#caches.push(use);
    return this.#step("attend", {
      size,
      from: x,
      words: (at) => [at(x), heads, headSize, this.#headsTogether(heads), memory.keys.offset / 4, capacity, Number(isAppending), 0],
    });
  }

  /** Heads that share the lanes: the largest power of 2 that leaves eight to each. */
  #headsTogether(heads: number): number {
    const { lanes } = formOf(this.device);
    return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(heads, lanes / 8))));
  }

  #lengthOf(what: "append" | "attend"): number {
    const lengths = this.#caches.filter((use) => use.what === what).map(({ cache }) => cache.lengthFor(what));
    if (lengths.some((length) => length !== lengths[0]))
      throw new RangeError(`RowProgram.${what}: expected caches of one length but found ${lengths.join(", ")}`);
    return lengths[0] ?? 0;
  }

  #step(kind: Step["kind"], about: { size: number; from?: RowVector; other?: RowVector | undefined; words: Step["words"] }): RowVector {
    const { size, from, other, words } = about;
    const to = { id: this.#vectors++, size };
    this.#steps.push({ kind, from, other, to, words });
    this.#built = undefined;
    return to;
  }

  /** Gives vectors their places, and spells the steps out. */
  #build(): { readonly steps: Tensor; readonly floats: number } {
    if (this.#built) return this.#built;
    const all = this.#steps;
    const sizes = new Map(all.map(({ to }) => [to.id, to.size]));
    const uses = all.map(({ from, other, to }, i) => ({
      reads: [from, other].flatMap((vector) => (vector ? [vector.id] : [])),
      writes: i === all.length - 1 ? [] : [to.id],
    }));
    const { slotOf, slotBytes } = planMemory(uses, (id) => 4 * VECTOR_STEP * Math.ceil(sizes.get(id)! / VECTOR_STEP));
    const starts = slotBytes.map((_, slot) => slotBytes.slice(0, slot).reduce((sum, bytes) => sum + bytes / 4, 0));
    const place = (vector: RowVector | undefined): number => (vector ? starts[slotOf.get(vector.id)!]! : NONE);
    const words = all.flatMap((step, i) => {
      const isResult = i === all.length - 1;
      return [KINDS.indexOf(step.kind), isResult ? 0 : place(step.to), step.to.size, Number(isResult), ...step.words(place)];
    });
    const floats = slotBytes.reduce((sum, bytes) => sum + bytes / 4, 0);
    this.#built = {
      steps: tensor(Uint32Array.from(words), { shape: [Math.max(12, words.length)], device: this.device }),
      floats: VECTORS_STEP * Math.max(1, Math.ceil(floats / VECTORS_STEP)),
    };
    return this.#built;
  }

  #matrix(what: string, x: Tensor): readonly [number, number] {
    this.#expectFloats(what, x);
    if (x.rank !== 2) throw new ShapeError(`RowProgram.${what}: expected two axes but found ${format(x.shape)}`);
    return x.shape as readonly number[] as readonly [number, number];
  }

  /** Place of a parameter `[size]`. */
  #vector(what: string, x: Tensor | null, size: number): number {
    if (!x) return NONE;
    this.#expectFloats(what, x);
    if (format(x.shape) !== format([size]))
      throw new ShapeError(`RowProgram.${what}: expected a parameter ${format([size])} but found ${format(x.shape)}`);
    return this.#constants.place(x, "vector");
  }

  #expectFloats(what: string, x: Tensor): void {
    if (x.dtype !== "f32") throw new DTypeError(`RowProgram.${what}: expected f32 parameters but found ${x.dtype}`);
  }

  #expectSize(what: string, vector: RowVector | undefined, size: number): void {
    if (vector && vector.size !== size)
      throw new ShapeError(`RowProgram.${what}: expected a vector of ${size} elements but found one of ${vector.size}`);
  }
}

function kernelFor({ shader, lanes, columns }: Form, sizes: { readonly D4: number; readonly FLOATS: number }): Kernel {
  const both = { COLUMNS: columns, ...sizes };
  return shader === "row_program" ? kernel(shader, "run", { LANES: lanes, ...both }) : kernel(shader, "run", { SG: lanes, ...both });
}

/** Memory that the attention's lanes share besides. */
function scratchBytes({ shader, lanes }: Form, headSize: number): number {
  return shader === "row_program" ? lanes * (4 + 16 * (Math.ceil(headSize / 4) + 1)) : 0;
}

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}
