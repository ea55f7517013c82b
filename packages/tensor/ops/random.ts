import { tensor } from "../create.ts";
import type { Param } from "../device/command.ts";
import type { Device } from "../device/device.ts";
import { kernel } from "../device/kernel.ts";
import { currentDevice } from "../device/open.ts";
import type { DType } from "../dtype.ts";
import { CaptureError, DTypeError, ShapeError } from "../errors.ts";
import { defaultGenerator, type Generator } from "../random/generator.ts";
import { format, type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";

export { defaultGenerator, Generator, manualSeed } from "../random/generator.ts";

/** Options of every function that draws random tensors. */
export interface RandomOptions {
  /** Default: the one that `manualSeed` sets. */
  readonly generator?: Generator;
  /** Default: the device opened last. */
  readonly device?: Device;
  /** Ask for a gradient: makes the tensor a leaf that `backward` fills in. */
  readonly requiresGrad?: boolean;
}

/** How {@link draw} fills a tensor. */
interface Filling extends RandomOptions {
  readonly entry: "fill_uniform" | "fill_normal" | "fill_integers" | "fill_bernoulli";
  readonly binding?: "out4" | "words4";
  readonly dtype?: DType;
  readonly params?: Readonly<Record<string, Param>>;
}

function draw(shape: Shape, filling: Filling): Tensor {
  const { entry, binding = "out4", dtype, params, generator = defaultGenerator, device = currentDevice(), requiresGrad } = filling;
  const result = empty(shape, { dtype, device });
  const vectors = Math.ceil(result.size / 4);
  device.run(kernel("random", entry), {
    bindings: { [binding]: result },
    params: { ...params, ...generator.params(), vectors },
    workgroups: Math.ceil(vectors / 64),
  });
  generator.advance(device, result.size);
  if (requiresGrad) result.requiresGrad = true;
  return result;
}

/** Uniform numbers in [0, 1), multiples of 2⁻²⁴: the same as the host's `philoxUniforms`, to the last bit. */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  return uniform(shape, options);
}

/** Uniform numbers in [low, high), by default [0, 1). */
export function uniform(shape: Shape, options: RandomOptions & { low?: number; high?: number } = {}): Tensor {
  const { low = 0, high = 1, ...rest } = options;
  if (!(low <= high)) throw new RangeError(`Expected low ≤ high but found ${low} and ${high}`);
  return draw(shape, { ...rest, entry: "fill_uniform", params: { low, high } });
}

/** Standard normal numbers: those of the host's `philoxNormals`, rounded to f32 on the way. */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  return draw(shape, { ...options, entry: "fill_normal" });
}

/**
 * Integers in low … high − 1, an i32 tensor unless u32 is asked for. Each is equally likely up to (high − low) · 2⁻³².
 * @throws RangeError unless low and high are integers with low < high ≤ low + 2³² − 1.
 */
export function randint(
  shape: Shape,
  options: Omit<RandomOptions, "requiresGrad"> & { low?: number; high: number; dtype?: "i32" | "u32" },
): Tensor {
  const { low = 0, high, dtype = "i32", ...rest } = options;
  const count = high - low;
  if (!Number.isInteger(low) || !Number.isInteger(count) || count < 1 || count >= 2 ** 32)
    throw new RangeError(`Expected integers low < high but found ${low} and ${high}`);
  return draw(shape, { ...rest, dtype, entry: "fill_integers", binding: "words4", params: { first: low, count } });
}

/** 1 with the given probability, else 0; f32, so that it multiplies. @throws RangeError for a probability outside of [0, 1]. */
export function bernoulli(shape: Shape, options: RandomOptions & { probability: number }): Tensor {
  const { probability, ...rest } = options;
  if (!(probability >= 0 && probability <= 1)) throw new RangeError(`Expected a probability in [0, 1] but found ${probability}`);
  return draw(shape, { ...rest, entry: "fill_bernoulli", params: { probability } });
}

/**
 * The integers 0 … n − 1 in random order, `[n]` i32. Drawn on the host, so a captured step cannot contain it: pass the order in.
 * @throws CaptureError inside a captured step.
 */
export function randperm(n: number, options: Omit<RandomOptions, "requiresGrad"> = {}): Tensor {
  const { generator = defaultGenerator, device = currentDevice() } = options;
  if (device.isRecording)
    throw new CaptureError("Expected no randperm inside a captured step: it would repeat one order; pass the order in");
  const order = generator.onHost((rng) => rng.permutation(n));
  return tensor(Int32Array.from(order), { device });
}

/**
 * Draws a place from every row of `probabilities [..., V]` with a chance proportional to what stands there; `[...]` i32. Rows need not add up
 * to 1. Places with probability 0 are never drawn, except that a row without anything positive gives V − 1.
 *
 * @example
 * ```ts
 * const next = multinomial(logits.div(temperature).softmax({ axis: -1 })); // [B, V] becomes [B]
 * ```
 * @throws ShapeError for a scalar or an empty last axis, DTypeError unless f32.
 */
export function multinomial(probabilities: Tensor, options: { generator?: Generator } = {}): Tensor {
  const { generator = defaultGenerator } = options;
  const { device, dtype } = probabilities;
  if (dtype !== "f32") throw new DTypeError(`multinomial: expected f32 but found ${dtype}; convert with to("f32")`);
  const columns = probabilities.shape.at(-1);
  if (!columns) throw new ShapeError(`multinomial: expected shape [..., V] with V ≥ 1 but found ${format(probabilities.shape)}`);
  const shape = probabilities.shape.slice(0, -1);
  const result = empty(shape, { dtype: "i32", device });
  const rows = sizeOf(shape);
  device.run(kernel("random", "choose"), {
    bindings: { out: result, p: dense(probabilities) },
    params: { ...generator.params(), rows, columns },
    workgroups: rows,
  });
  generator.advance(device, rows);
  return result;
}
