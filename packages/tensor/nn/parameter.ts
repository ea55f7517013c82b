import { fromHost } from "../create.ts";
import type { Storage } from "../device/memory.ts";
import { ShapeError } from "../errors.ts";
import type { HostTensor } from "../io/host_tensor.ts";
import { format } from "../shape.ts";
import { Tensor } from "../tensor.ts";

let moves = 0;

/** How often any parameter has changed its place in memory: a captured step recorded before that is out of date. */
export function parameterMoves(): number {
  return moves;
}

/** A leaf tensor that a module owns and an optimizer changes. */
export class Parameter extends Tensor {
  constructor(values: Tensor) {
    const own = values.isContiguous ? values : values.contiguous();
    super(own.device, own.storage, own);
    this.requiresGrad = true;
  }

  /** Moves the values to another place; for optimizers, which pack their parameters into one arena. `offset` in elements. */
  move(storage: Storage, offset: number): void {
    const before = this.detach();
    this.storage = storage;
    this.offset = offset;
    this.copyFrom(before);
    moves++;
  }

  /** Overwrites the values with host values of the same shape. */
  load(host: HostTensor): void {
    if (format(host.shape) !== format(this.shape))
      throw new ShapeError(`Expected shape ${format(this.shape)} but found ${format(host.shape)}`);
    this.copyFrom(fromHost(host, { device: this.device, dtype: this.dtype }));
  }
}
