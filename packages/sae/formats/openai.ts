/**
 * OpenAI's files (https://github.com/openai/sparse_autoencoder): one state dict that holds the activation's name and settings too. Weights are
 * torch's, [out, in].
 */
import { type HostTensor, isHostTensor, readTorchFile, type StateDict, type TorchValue } from "@cursive/tensor";
import type { SaeConfig } from "../create_sae.ts";
import { checkSaeFile, type SaeFile, sizesOf, tensorNamed, transposedTensor } from "./sae_file.ts";
import { readingFile, SaeFormatError, shortJson } from "./sae_format_error.ts";

/**
 * Reads an autoencoder of OpenAI. Those with TopK normalise every row and take x̂ back, which `about.inputNormalization` says.
 *
 * @throws {SaeFormatError} for a damaged file, and for an activation function that none of our architectures has, by its name.
 */
export function readOpenAi(bytes: Uint8Array): SaeFile {
  const root = findDict(readingFile("the file", () => readTorchFile(bytes)));
  const tensors: StateDict = new Map([...root].filter((entry): entry is [string, HostTensor] => isHostTensor(entry[1])));
  const state: StateDict = new Map([
    ["W_enc", transposedTensor(tensorNamed(tensors, "encoder.weight"))],
    ["W_dec", transposedTensor(tensorNamed(tensors, "decoder.weight"))],
    ["b_enc", tensorNamed(tensors, "latent_bias")],
    ["b_dec", tensorNamed(tensors, "pre_bias")],
  ]);
  const sizes = sizesOf(state.get("W_enc")!);
  const activation = root.get("activation") ?? "ReLU";
  const settings = root.get("activation_state_dict");
  const file: SaeFile = {
    config: configOf(activation, { sizes, settings: settings instanceof Map ? settings : new Map() }),
    state,
    about: activation === "TopK" ? { inputNormalization: "layer-norm" } : {},
  };
  checkSaeFile(file);
  return file;
}

interface Activation {
  readonly sizes: { readonly dIn: number; readonly dSae: number };
  readonly settings: ReadonlyMap<string | number, TorchValue>;
}

function configOf(activation: TorchValue, { sizes, settings }: Activation): SaeConfig {
  if (activation === "ReLU") return { architecture: "standard", ...sizes };
  const after = settings.get("postact_fn") ?? "ReLU";
  const k = settings.get("k");
  if (activation === "TopK" && after === "ReLU" && typeof k === "number") return { architecture: "topk", ...sizes, k };
  const found = activation === "TopK" ? `TopK with k ${shortJson(k)} and ${shortJson(after)}` : shortJson(activation);
  throw new SaeFormatError(`Expected activation ReLU, or TopK with a k and ReLU, but found ${found}: ours compute no such thing`);
}

/** The state dict, which released files hold alone or in a dict of their own. */
function findDict(value: TorchValue): ReadonlyMap<string | number, TorchValue> {
  if (value instanceof Map) {
    const dicts = [value, ...[...value.values()].filter((item) => item instanceof Map)] as ReadonlyMap<string | number, TorchValue>[];
    const found = dicts.find((dict) => dict.has("pre_bias"));
    if (found) return found;
  }
  throw new SaeFormatError("Expected a dict with pre_bias, latent_bias, encoder.weight and decoder.weight but found none");
}
