import { TensorError } from "../errors.ts";

/** A file that `torch.save` did not write, a damaged one, or one that holds more than tensors and plain values. The message is one line. */
export class TorchFileError extends TensorError {
  override name = "TorchFileError";
}

/** Text from a file as part of a message: quoted, on one line, of bounded length. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
