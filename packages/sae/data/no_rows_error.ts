import { TensorError } from "@cursive/tensor";

/** A source has gone through what it has, or through so much that no more is to be hoped for, and no row is of a kind that is wanted. */
export class NoRowsError extends TensorError {
  override name = "NoRowsError";
}
