import type { Storage } from "../../device/memory.ts";
import { Tensor } from "../../tensor.ts";
import type { RowNorm } from "../gemm/gemm.ts";
import type { NormalizedRows } from "./launch.ts";

/** The rows of a tensor normalised, and what must not have changed since. */
interface Kept {
  readonly of: Tensor;
  readonly rows: NormalizedRows;
  readonly unchanged: readonly { readonly storage: Storage; readonly writes: number }[];
}

/**
 * A layer normalisation that is announced to the linear layer before it, whose kernel then normalises its rows on the way, if it can. `linear` is
 * given it and fills it, `layerNorm` is given it and takes what is there: then it costs no launch. What comes between may do as it likes. Where
 * another tensor reaches `layerNorm`, or these rows, the weight or the bias have been written to meanwhile, it launches its own kernel.
 *
 * @example
 * ```ts
 * const ahead = new NormAhead(ln);
 * const sum = linear(heads, weight, bias, { residual: x, ahead });
 * const normalized = layerNorm(sum, ln.weight, ln.bias, { eps: ln.eps, ahead });
 * ```
 */
export class NormAhead {
  readonly norm: RowNorm;
  #kept: Kept | undefined;

  /** Weight and bias `[C]`, and what is added to the variance. */
  constructor({ weight, bias, eps }: RowNorm) {
    this.norm = { weight, bias, eps };
  }

  /** Keeps normalised rows for the `layerNorm` to come. */
  keep(of: Tensor, rows: NormalizedRows): void {
    const storages = [of, this.norm.weight, this.norm.bias].map(({ storage }) => storage);
    this.#kept = { of, rows, unchanged: storages.map((storage) => ({ storage, writes: storage.writes })) };
  }

  /** What was kept, in the shape of `x`, if `norm` would make the same of `x` now. */
  take(
    x: Tensor,
    norm: { readonly weight?: Tensor | undefined; readonly bias?: Tensor | undefined; readonly eps: number },
  ): NormalizedRows | undefined {
    if (!this.#kept) return undefined;
    const { of, rows, unchanged } = this.#kept;
    const { weight, bias, eps } = this.norm;
    const isSameNorm = norm.weight === weight && norm.bias === bias && norm.eps === eps;
    const isSame = x.storage === of.storage && x.offset === of.offset && x.size === of.size && x.shape.at(-1) === of.shape.at(-1);
    if (!isSameNorm || !isSame || !x.isContiguous || !unchanged.every(({ storage, writes }) => storage.writes === writes)) return undefined;
    const { storage, offset } = rows.y;
    return { ...rows, y: new Tensor(x.device, storage, { shape: x.shape, offset, dtype: "f32" }) };
  }
}
