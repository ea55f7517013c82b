import type { Tensor } from "../../tensor.ts";
import { full } from "../copy.ts";
import { reshape, transpose } from "../view.ts";
import { gemm } from "./gemm.ts";

/**
 * The gradients of y = x·Wᵀ + b's parameters, x `[.., in]`, from that of y, g `[.., out]`: dW = gᵀ·x `[out, in]` and db = Σ g `[out]`, in one
 * kernel; null where not wanted.
 */
export function parameterGradients(
  { x, g }: { readonly x: Tensor; readonly g: Tensor },
  { needsWeight, needsBias }: { readonly needsWeight: boolean; readonly needsBias: boolean },
): { dWeight: Tensor | null; dBias: Tensor | null } {
  const [rows, columns] = [reshape(g, [-1, g.shape.at(-1)!]), reshape(x, [-1, x.shape.at(-1)!])];
  const isEmpty = rows.shape[1] === 0 || columns.shape[1] === 0; // then no product is launched that could sum the rows on the way
  if (!needsWeight || isEmpty) {
    return {
      dWeight: needsWeight ? full([rows.shape[1]!, columns.shape[1]!], 0, { device: x.device }) : null,
      dBias: needsBias ? rows.sum({ axis: 0 }) : null,
    };
  }
  const { out, rowSums } = gemm({ a: transpose(rows, 0, 1), b: columns, rowSums: needsBias });
  return { dWeight: out, dBias: rowSums ?? null };
}
