import type { Device } from "../../device/device.ts";
import type { Tensor } from "../../tensor.ts";
import { copyInto, empty, fill } from "../copy.ts";

/** How a tensor lies among the constants; see `shaders/row_program.wgsl`. */
type Form = "vector" | "table" | "weight";

interface Constant {
  readonly tensor: Tensor;
  readonly form: Form;
  /** In elements, a multiple of 4. */
  readonly start: number;
  readonly size: number;
}

/** The parameters of a row program, copied into one piece of memory as its kernel reads them. */
export class Constants {
  readonly #device: Device;
  readonly #all = new Map<Tensor, Constant>();
  #size = 0;
  #memory: Tensor | undefined;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Elements of all together. */
  get size(): number {
    return this.#size;
  }

  /** Where a tensor will lie, in vec4. */
  place(tensor: Tensor, form: Form): number {
    let constant = this.#all.get(tensor);
    if (constant?.form !== form) {
      const [rows, length] = [tensor.rank === 1 ? 1 : tensor.shape[0]!, tensor.shape.at(-1)!];
      constant = { tensor, form, start: this.#size, size: rows * inFours(length) };
      this.#size += constant.size;
      this.#all.set(tensor, constant);
    }
    return constant.start / 4;
  }

  /** Copies the tensors' values of now. */
  load(): void {
    this.#memory ??= fill(empty([Math.max(4, this.#size)], { device: this.#device }), 0);
    for (const constant of this.#all.values()) this.#copy(constant);
  }

  /** The memory; undefined until {@link load} has filled it. */
  get memory(): Tensor | undefined {
    return this.#memory;
  }

  release(): void {
    this.#memory?.storage.release();
    this.#memory = undefined;
  }

  #copy({ tensor, form, start, size }: Constant): void {
    const own = this.#memory!.narrow(0, { start, length: size });
    const source = tensor.detach();
    const length = source.shape.at(-1)!;
    if (form !== "weight") {
      copyInto(own.reshape([size / inFours(length), inFours(length)]).narrow(1, { start: 0, length }), source);
      return;
    }
    const rows = source.shape[0]!;
    const fours = own.reshape([inFours(length) / 4, rows, 4]);
    const [whole, rest] = [Math.floor(length / 4), length % 4];
    if (whole > 0) {
      const inRows = source.narrow(1, { start: 0, length: 4 * whole }).reshape([rows, whole, 4]);
      copyInto(fours.narrow(0, { start: 0, length: whole }), inRows.transpose(0, 1));
    }
    if (rest > 0)
      copyInto(fours.select(0, whole).narrow(1, { start: 0, length: rest }), source.narrow(1, { start: 4 * whole, length: rest }));
  }
}

function inFours(n: number): number {
  return 4 * Math.ceil(n / 4);
}
