/**
 * sparsify's folders (https://github.com/EleutherAI/sparsify): `sae.safetensors` and `cfg.json`. The encoder's weights are torch's,
 * [out, in]; the decoder's are ours.
 */
import { readSafetensors, type StateDict } from "@cursive/tensor";
import { checkSaeFile, type SaeFile, sizesOf, tensorNamed, transposedTensor } from "./sae_file.ts";
import { JsonFields, readingFile, required, SaeFormatError, shortJson } from "./sae_format_error.ts";

/** The files of a folder. */
export interface SparsifyFiles {
  /** `cfg.json` */
  readonly cfg: Uint8Array;
  /** `sae.safetensors` */
  readonly weights: Uint8Array;
}

/**
 * Reads an autoencoder of sparsify: the k greatest of ReLU((x − b_dec)·W_enc + b_enc). Features that k leaves at 0 fire in neither.
 *
 * @throws {SaeFormatError} for a damaged file, and by their names for transcoders, skip connections and groups of latents.
 */
export function readSparsify({ cfg, weights }: SparsifyFiles): SaeFile {
  const fields = JsonFields.parse(cfg, "cfg.json");
  const { tensors } = readingFile("sae.safetensors", () => readSafetensors(weights));
  for (const name of ["transcode", "skip_connection"])
    if (fields.boolean(name)) throw new SaeFormatError(`Expected an autoencoder but found ${name}: ours compute no such thing`);
  if (tensors.has("W_skip")) throw new SaeFormatError("Expected an autoencoder but found W_skip: ours compute no such thing");
  const activation = fields.text("activation") ?? "topk";
  if (activation !== "topk")
    throw new SaeFormatError(`Expected activation topk but found ${shortJson(activation)}: ours compute no such thing`);
  const state: StateDict = new Map([
    ["W_enc", transposedTensor(tensorNamed(tensors, "encoder.weight"))],
    ["W_dec", tensorNamed(tensors, "W_dec")],
    ["b_enc", tensorNamed(tensors, "encoder.bias")],
    ["b_dec", tensorNamed(tensors, "b_dec")],
  ]);
  const sizes = sizesOf(state.get("W_enc")!);
  const said = fields.size("d_in");
  if (said !== undefined && said !== sizes.dIn)
    throw new SaeFormatError(`Expected d_in ${sizes.dIn}, the weights', but found ${said} in cfg.json`);
  const k = required(fields.size("k"), "k in cfg.json");
  const file: SaeFile = { config: { architecture: "topk", ...sizes, k }, state, about: { foreign: { sparsify: fields.fields } } };
  checkSaeFile(file);
  return file;
}
