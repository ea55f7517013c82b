/**
 * dictionary_learning's folders (https://github.com/saprmarks/dictionary_learning): `ae.pt`, a state dict, and `config.json`. Classes whose
 * encoder is torch's `nn.Linear` have weights [out, in]; the others have ours.
 */
import { type HostTensor, readTorchFile, type StateDict, torchStateDict } from "@cursive/tensor";
import type { SaeConfig } from "../create_sae.ts";
import { checkSaeFile, type SaeAbout, type SaeFile, scalarTensor, sizesOf, tensorNamed, transposedTensor } from "./sae_file.ts";
import { JsonFields, readingFile, required, SaeFormatError, shortJson } from "./sae_format_error.ts";

/** The files of a folder. */
export interface DictionaryLearningFiles {
  /** `ae.pt` */
  readonly ae: Uint8Array;
  /** `config.json`; without it the tensors' names tell the class. */
  readonly config?: Uint8Array;
}

interface Read {
  readonly config: SaeConfig;
  readonly state: StateDict;
}

/** A class, by what is told of its tensors. */
type Reader = (tensors: StateDict) => Read;

const readers: Readonly<Record<string, Reader>> = {
  /** f = ReLU(W(x − bias) + b) */
  AutoEncoder: (tensors) => {
    const state = linearState(tensors, { b_enc: "encoder.bias", b_dec: "bias" });
    return { config: { architecture: "standard", ...sizes(state) }, state };
  },
  /** Anthropic's of April 2024: nothing is taken off x. */
  AutoEncoderNew: (tensors) => {
    const state = linearState(tensors, { b_enc: "encoder.bias", b_dec: "decoder.bias" });
    return { config: { architecture: "standard", ...sizes(state), applyBDecToInput: false, decoderConstraint: "none" }, state };
  },
  AutoEncoderTopK: (tensors) => {
    const state = linearState(tensors, { b_enc: "encoder.bias", b_dec: "b_dec" });
    return { config: { architecture: "topk", ...sizes(state), k: numberNamed(tensors, "k") }, state };
  },
  BatchTopKSAE: (tensors) => {
    const state = linearState(tensors, { b_enc: "encoder.bias", b_dec: "b_dec" });
    state.set("topk_threshold", scalarTensor(numberNamed(tensors, "threshold")));
    return { config: { architecture: "batchtopk", ...sizes(state), k: numberNamed(tensors, "k") }, state };
  },
  MatryoshkaBatchTopKSAE: (tensors) => {
    const state = ownState(tensors, ["b_enc", "b_dec"]);
    state.set("topk_threshold", scalarTensor(numberNamed(tensors, "threshold")));
    let width = 0;
    const widths = Array.from(tensorNamed(tensors, "group_sizes").data, (size) => {
      width += size;
      return width;
    });
    return { config: { architecture: "matryoshka", ...sizes(state), k: numberNamed(tensors, "k"), widths }, state };
  },
  GatedAutoEncoder: (tensors) => {
    const state = linearState(tensors, { b_gate: "gate_bias", b_mag: "mag_bias", r_mag: "r_mag", b_dec: "decoder_bias" });
    return { config: { architecture: "gated", ...sizes(state) }, state };
  },
  /** Its `apply_b_dec_to_input` is false wherever it is not set by hand, and not saved. */
  JumpReluAutoEncoder: (tensors) => {
    const state = ownState(tensors, ["b_enc", "b_dec"]);
    const threshold = tensorNamed(tensors, "threshold");
    state.set("threshold", { ...threshold, data: (threshold.data as Float32Array).map((v) => Math.max(0, v)) });
    return { config: { architecture: "jumprelu", ...sizes(state), applyBDecToInput: false }, state };
  },
};

/**
 * Reads an autoencoder of dictionary_learning. Activations are taken as they are: it saves weights with its normalisation folded.
 *
 * @throws {SaeFormatError} for a damaged file, and for a class that none of our architectures computes, by its name.
 */
export function readDictionaryLearning({ ae, config: configBytes }: DictionaryLearningFiles): SaeFile {
  const root = configBytes && JsonFields.parse(configBytes, "config.json");
  const trainer = root?.object("trainer");
  const tensors = readingFile("ae.pt", () => torchStateDict(readTorchFile(ae), "ae.pt"));
  const name = trainer?.text("dict_class") ?? classOf(tensors);
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (!reader)
    throw new SaeFormatError(`Expected one of ${Object.keys(readers).join(", ")} but found ${shortJson(name)}: ours compute no such thing`);
  const { config, state } = reader(tensors);
  for (const [field, size] of [
    ["activation_dim", config.dIn],
    ["dict_size", config.dSae],
  ] as const) {
    const said = trainer?.size(field);
    if (said !== undefined && said !== size)
      throw new SaeFormatError(`Expected ${field} ${size}, the weights', but found ${said} in config.json`);
  }
  const about: SaeAbout = {
    ...(trainer?.text("wandb_name") !== undefined && { name: trainer.text("wandb_name") }),
    ...(trainer?.text("lm_name") !== undefined && { modelName: trainer.text("lm_name") }),
    ...(trainer?.text("submodule_name") !== undefined && { hookSite: trainer.text("submodule_name") }),
    ...(root && { foreign: { dictionary_learning: root.fields } }),
  };
  const file: SaeFile = { config, state, about };
  checkSaeFile(file);
  return file;
}

/** What a state dict is of, by the names that only it has. */
function classOf(tensors: StateDict): string {
  const has = (name: string): boolean => tensors.has(name);
  if (has("r_mag")) return "GatedAutoEncoder";
  if (has("group_sizes")) return "MatryoshkaBatchTopKSAE";
  if (has("W_enc") && has("threshold")) return "JumpReluAutoEncoder";
  if (has("k")) return has("threshold") ? "BatchTopKSAE" : "AutoEncoderTopK";
  if (has("decoder.bias")) return "AutoEncoderNew";
  if (has("bias")) return "AutoEncoder";
  throw new SaeFormatError(
    `Expected the tensors of an autoencoder of dictionary_learning but found ${[...tensors.keys()].slice(0, 8).join(", ") || "none"}`,
  );
}

/** Tensors of a class with linear layers, under our names. */
function linearState(tensors: StateDict, names: Readonly<Record<string, string>>): StateDict {
  const state: StateDict = new Map([
    ["W_enc", transposedTensor(tensorNamed(tensors, "encoder.weight"))],
    ["W_dec", transposedTensor(tensorNamed(tensors, "decoder.weight"))],
  ]);
  for (const [ours, theirs] of Object.entries(names)) state.set(ours, tensorNamed(tensors, theirs));
  return state;
}

/** Tensors of a class with parameters like ours. */
function ownState(tensors: StateDict, names: readonly string[]): StateDict {
  return new Map(["W_enc", "W_dec", ...names].map((name): [string, HostTensor] => [name, tensorNamed(tensors, name)]));
}

function sizes(state: StateDict): { dIn: number; dSae: number } {
  return sizesOf(required(state.get("W_enc"), "encoder weights"));
}

function numberNamed(tensors: StateDict, name: string): number {
  const { data } = tensorNamed(tensors, name);
  if (data.length !== 1) throw new SaeFormatError(`Expected one number as ${name} but found ${data.length}`);
  return data[0]!;
}
