import { ALIGNMENT } from "../device/memory.ts";
import { BYTES } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import type { Parameter } from "../nn/parameter.ts";
import { full } from "../ops/copy.ts";
import { rowMajorStrides } from "../shape.ts";
import { Tensor } from "../tensor.ts";

/** Where a parameter lies in an arena, in elements. */
export interface ArenaSlot {
  readonly parameter: Parameter;
  readonly offset: number;
  readonly size: number;
}

/** A stretch of neighbouring slots, in elements. */
export interface Run {
  readonly start: number;
  readonly length: number;
}

const STEP = ALIGNMENT / BYTES;

/**
 * Parameters packed one after another into one flat tensor, so that an optimizer updates all of them in one dispatch. Gradients and
 * moments have flat tensors of the same layout. Slots begin at bindable places; the gaps are zeros and stay so.
 */
export class ParameterArena {
  readonly slots: readonly ArenaSlot[];
  /** All parameters, flat. */
  readonly values: Tensor;
  /** Their gradients, flat; filled by {@link gatherGradients}. */
  readonly gradients: Tensor;

  constructor(parameters: Iterable<Parameter>) {
    const list = [...new Set(parameters)];
    const first = list[0];
    if (!first) throw new TensorError("Expected at least one parameter to optimize but found none");
    let offset = 0;
    this.slots = list.map((parameter) => {
      const slot = { parameter, offset, size: parameter.size };
      offset += Math.ceil(parameter.size / STEP) * STEP;
      return slot;
    });
    const { device } = first;
    this.gradients = full([offset], 0, { device });
    this.values = this.#alreadyPacked(offset) ?? full([offset], 0, { device });
    for (const { parameter, offset } of this.slots)
      if (parameter.storage !== this.values.storage) parameter.move(this.values.storage, offset);
  }

  /** Number of elements, gaps included. */
  get length(): number {
    return this.values.size;
  }

  /** A flat tensor of zeros with this arena's layout: for moments. */
  flatZeros(): Tensor {
    return full([this.length], 0, { device: this.values.device });
  }

  /** The part of a flat tensor that belongs to a slot, in the parameter's shape. */
  view(flat: Tensor, slot: ArenaSlot): Tensor {
    const { shape } = slot.parameter;
    return new Tensor(flat.device, flat.storage, { shape, strides: rowMajorStrides(shape), offset: slot.offset, dtype: "f32" });
  }

  /**
   * Brings the parameters' gradients into the flat tensor (a captured step writes them there in the first place) and points `grad` there.
   * Returns the stretches that have gradients; parameters without are left alone, as in PyTorch.
   */
  gatherGradients(): Run[] {
    const runs: Run[] = [];
    for (const slot of this.slots) {
      const { parameter, offset, size } = slot;
      if (!parameter.grad) continue;
      const place = this.view(this.gradients, slot);
      if (parameter.grad.storage !== place.storage) {
        place.copyFrom(parameter.grad.detach());
        parameter.grad = place;
      }
      const last = runs.at(-1);
      const length = Math.ceil(size / STEP) * STEP;
      if (last && last.start + last.length === offset) runs[runs.length - 1] = { start: last.start, length: last.length + length };
      else runs.push({ start: offset, length });
    }
    return runs;
  }

  /** The flat tensor that an earlier optimizer packed the same parameters into, in the same order. */
  #alreadyPacked(length: number): Tensor | undefined {
    const { parameter } = this.slots[0]!;
    const fits = parameter.storage.bytes === Math.max(16, length * BYTES);
    if (!fits || this.slots.some((s) => s.parameter.storage !== parameter.storage || s.parameter.offset !== s.offset)) return undefined;
    return new Tensor(parameter.device, parameter.storage, { shape: [length], dtype: "f32" });
  }
}
