/**
 * SAELens's directories (https://github.com/decoderesearch/SAELens, version 6): `cfg.json` and `sae_weights.safetensors`, whose tensors have the
 * names and shapes of ours. Written is what computes the same at inference: activation scales are folded into the weights, BatchTopK and
 * Matryoshka become JumpReLU with one threshold for all.
 */
import { type HostTensor, readSafetensors, type StateDict, writeSafetensors } from "@cursive/tensor";
import type { SaeConfig } from "../create_sae.ts";
import type { Json } from "../snapshot.ts";
import { foldDecoderNorm } from "../train/fold.ts";
import {
  checkedAbout,
  checkSaeFile,
  foldActivationScale,
  type SaeAbout,
  type SaeFile,
  scalarTensor,
  sizesOf,
  tensorNamed,
} from "./sae_file.ts";
import { JsonFields, readingFile, required, SaeFormatError, shortJson } from "./sae_format_error.ts";

/** The files of a directory. */
export interface SaeLensFiles {
  /** `cfg.json` */
  readonly cfg: Uint8Array;
  /** `sae_weights.safetensors` */
  readonly weights: Uint8Array;
  /** `activation_scaler.json`, which directories of checkpoints have. */
  readonly activationScaler?: Uint8Array;
}

/** The files' names in the directory. */
export const SAELENS_NAMES: Readonly<Record<keyof SaeLensFiles, string>> = {
  cfg: "cfg.json",
  weights: "sae_weights.safetensors",
  activationScaler: "activation_scaler.json",
};

/** The version of SAELens whose form is written. */
const WRITTEN_VERSION = "6.18.0";

type Fields = { readonly [key: string]: Json };

/** Fields of cfg.json and of its metadata that mean something here; all others are kept as they are. */
const KNOWN = ["architecture", "d_in", "d_sae", "dtype", "device", "apply_b_dec_to_input", "normalize_activations", "reshape_activations"];
const KNOWN_OF_TOPK = ["k", "rescale_acts_by_decoder_norm"];
const KNOWN_METADATA = ["sae_lens_version", "model_name", "hook_name", "cursive"];

/** What a directory is written with. */
export interface WriteSaeLensOptions {
  /** Scale W_dec's rows to norm 1 and features up by what they lose. Not for TopK, whose choice would change. */
  readonly unitDecoder?: boolean;
}

/**
 * Writes an autoencoder for SAELens. What is written, read and written again has the same bytes.
 *
 * @throws {SaeFormatError} for `unitDecoder` with TopK, and for weights that do not fit the configuration.
 * @example
 * ```ts
 * const { cfg, weights } = writeSaeLens(await toSaeFile(sae, { modelName: "cursive", hookSite: "blocks.0.hook_mlp_out" }));
 * ```
 */
export function writeSaeLens(file: SaeFile, { unitDecoder = false }: WriteSaeLensOptions = {}): { cfg: Uint8Array; weights: Uint8Array } {
  checkSaeFile(file);
  const { config, state: folded, about } = foldActivationScale(file);
  if (unitDecoder && config.architecture === "topk")
    throw new SaeFormatError(
      "Expected an autoencoder whose latents do not compete but found topk: scaling its decoder would change which fire",
    );
  const { architecture, state } = inferenceForm(config, unitDecoder ? foldDecoderNorm(folded) : folded);
  const kept = (about.foreign?.saelens ?? {}) as Fields;
  const cfg: Fields = {
    architecture,
    d_in: config.dIn,
    d_sae: config.dSae,
    dtype: "float32",
    device: "cpu",
    apply_b_dec_to_input: config.applyBDecToInput ?? true,
    normalize_activations: about.inputNormalization === "layer-norm" ? "layer_norm" : "none",
    reshape_activations: "none",
    ...(config.architecture === "topk" && { k: config.k ?? 8, rescale_acts_by_decoder_norm: false }),
    ...without(kept, "metadata"),
    metadata: {
      sae_lens_version: WRITTEN_VERSION,
      model_name: about.modelName ?? null,
      hook_name: about.hookSite ?? null,
      ...((kept.metadata ?? {}) as Fields),
      cursive: ownFields(config, about),
    },
  };
  return { cfg: new TextEncoder().encode(`${JSON.stringify(cfg, null, 2)}\n`), weights: writeSafetensors(state) };
}

/**
 * Reads a directory of SAELens, version 6 or older.
 *
 * @throws {SaeFormatError} for a damaged file, and for what none of our architectures computes, by its name.
 */
export function readSaeLens({ cfg, weights, activationScaler }: SaeLensFiles): SaeFile {
  const fields = upgraded(JsonFields.parse(cfg, SAELENS_NAMES.cfg));
  const { tensors } = readingFile(SAELENS_NAMES.weights, () => readSafetensors(weights));
  const sizes = sizesOf(tensorNamed(tensors, "W_enc"));
  for (const [name, size] of [
    ["d_in", sizes.dIn],
    ["d_sae", sizes.dSae],
  ] as const) {
    if (required(fields.size(name), `${name} in cfg.json`) !== size)
      throw new SaeFormatError(`Expected ${name} ${size}, the weights', but found ${fields.number(name)} in cfg.json`);
  }
  refuseUnless(fields, "reshape_activations", ["none"]);
  if (fields.boolean("finetuning_scaling_factor"))
    throw new SaeFormatError("Expected no finetuning_scaling_factor but found it: ours have none");
  const metadata = fields.object("metadata");
  const own = metadata?.object("cursive");
  const ownAbout = own?.object("about");
  const trained = own?.object("config")?.fields;
  const { config, state } = architectureOf(fields, { tensors, sizes });
  /** Whether it was trained as what it is here, and its whole configuration is known. */
  const isSame =
    trained !== undefined && Object.entries({ applyBDecToInput: true, ...config }).every(([key, v]) => (trained[key] ?? true) === v);
  const foreign: Fields = {
    ...without(fields.fields, "metadata", ...KNOWN, ...(config.architecture === "topk" ? KNOWN_OF_TOPK : [])),
    metadata: without(metadata?.fields ?? {}, ...KNOWN_METADATA),
  };
  const file: SaeFile = {
    config: (isSame ? trained : config) as unknown as SaeConfig,
    state,
    about: {
      ...(ownAbout && checkedAbout(ownAbout)),
      ...(metadata?.text("model_name") !== undefined && { modelName: metadata.text("model_name") }),
      ...(metadata?.text("hook_name") !== undefined && { hookSite: metadata.text("hook_name") }),
      ...normalizationOf(fields, activationScaler),
      ...(trained && !isSame && { trainedAs: trained }),
      foreign: { saelens: foreign },
    },
  };
  checkSaeFile(file);
  return file;
}

/** What we know of an autoencoder and SAELens has no field for. */
function ownFields(config: SaeConfig, about: SaeAbout): Fields {
  const elsewhere = ["modelName", "hookSite", "inputNormalization", "trainedAs", "foreign"];
  return { config: (about.trainedAs ?? config) as Json, about: without(about as Fields, ...elsewhere) };
}

/** Architecture and tensors by which SAELens computes what ours does at inference. */
function inferenceForm(config: SaeConfig, state: StateDict): { architecture: string; state: StateDict } {
  if (config.architecture !== "batchtopk" && config.architecture !== "matryoshka") return { architecture: config.architecture, state };
  const { topk_threshold, ...rest } = Object.fromEntries(state);
  const threshold = new Float32Array(config.dSae).fill(Math.max(0, topk_threshold!.data[0]!));
  return {
    architecture: "jumprelu",
    state: new Map([...Object.entries(rest), ["threshold", { shape: [config.dSae], dtype: "f32", data: threshold }]]),
  };
}

interface Weights {
  readonly tensors: StateDict;
  readonly sizes: { readonly dIn: number; readonly dSae: number };
}

/** Our configuration and tensors of an architecture of theirs. */
function architectureOf(fields: JsonFields, { tensors, sizes }: Weights): { config: SaeConfig; state: StateDict } {
  const architecture = required(fields.text("architecture"), "an architecture in cfg.json");
  const common = { ...sizes, ...(fields.boolean("apply_b_dec_to_input") === false && { applyBDecToInput: false }) };
  const k = (): number => required(fields.number("k"), `k of ${architecture} in cfg.json`);
  /** Latents that compete by activation · norm do so by activation once norms are folded. */
  const competing = (): StateDict => {
    const { shape } = tensorNamed(tensors, "W_dec");
    if (shape.join() !== `${sizes.dSae},${sizes.dIn}`)
      throw new SaeFormatError(`Expected W_dec [${sizes.dSae}, ${sizes.dIn}] but found [${shape.join(", ")}]`);
    return (fields.boolean("rescale_acts_by_decoder_norm") ?? false) ? foldDecoderNorm(tensors) : tensors;
  };
  switch (architecture) {
    case "standard":
    case "gated":
      return { config: { architecture, ...common }, state: tensors };
    case "topk":
      return { config: { architecture, ...common, k: k() }, state: competing() };
    case "batchtopk":
      return { config: { architecture, ...common, k: k() }, state: new Map([["topk_threshold", scalarTensor(-1)], ...competing()]) };
    case "jumprelu":
      return { config: { architecture, ...common }, state: withThreshold(tensors) };
    default:
      throw new SaeFormatError(
        `Expected one of standard, topk, batchtopk, jumprelu, gated but found architecture ${shortJson(architecture)}: ours compute no such thing`,
      );
  }
}

/** Thresholds below 0 let nothing more through than 0 does. Versions before 6.48 trained the logarithm of the threshold. */
function withThreshold(tensors: StateDict): StateDict {
  const { log_threshold: log, threshold = log, ...rest } = Object.fromEntries(tensors);
  if (!threshold) return tensors;
  const data = (threshold.data as Float32Array).map((v) => Math.max(0, threshold === log ? Math.exp(v) : v));
  return new Map([...Object.entries(rest), ["threshold", { ...threshold, data } as HostTensor]]);
}

function normalizationOf(fields: JsonFields, scaler: Uint8Array | undefined): SaeAbout {
  const kind = fields.text("normalize_activations") ?? "none";
  const scale = scaler && JsonFields.parse(scaler, SAELENS_NAMES.activationScaler).number("scaling_factor");
  if (scale !== undefined && !(Number.isFinite(scale) && scale > 0))
    throw new SaeFormatError(`Expected a scaling_factor above 0 but found ${scale}`);
  if (kind === "layer_norm") return { inputNormalization: "layer-norm" };
  if (kind === "none" || scale !== undefined) return scale === undefined ? {} : { activationScale: scale };
  const how = kind === "expected_average_only_in" ? "without its scaling_factor in activation_scaler.json" : "which ours cannot do";
  throw new SaeFormatError(`Expected normalize_activations none or layer_norm but found ${shortJson(kind)}, ${how}`);
}

function refuseUnless(fields: JsonFields, name: string, values: readonly string[]): void {
  const found = fields.text(name);
  if (found !== undefined && !values.includes(found))
    throw new SaeFormatError(`Expected ${name} ${values.join(" or ")} but found ${shortJson(found)}: ours cannot do it`);
}

/** A configuration from before version 6 in the form of version 6. */
function upgraded(fields: JsonFields): JsonFields {
  if (fields.has("metadata")) return fields;
  const {
    hook_point,
    hook_name,
    model_name,
    activation_fn_str,
    activation_fn,
    activation_fn_kwargs: _,
    normalize_activations,
    ...rest
  } = fields.fields;
  const activation = activation_fn_str ?? activation_fn ?? "relu";
  const k = fields.object("activation_fn_kwargs")?.number("k");
  const architecture = rest.architecture ?? "standard";
  if (activation !== "relu" && activation !== "topk")
    throw new SaeFormatError(`Expected activation function relu or topk but found ${shortJson(activation)}`);
  const upgradedFields: Fields = {
    ...rest,
    architecture: activation === "topk" ? "topk" : architecture,
    ...(k !== undefined && { k }),
    normalize_activations:
      typeof normalize_activations === "boolean"
        ? normalize_activations
          ? "expected_average_only_in"
          : "none"
        : (normalize_activations ?? "none"),
    metadata: { model_name: model_name ?? null, hook_name: hook_name ?? hook_point ?? null },
  };
  return new JsonFields(upgradedFields, fields.what);
}

function without(fields: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}
