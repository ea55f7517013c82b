import {
  type HostTensor,
  isHostTensor,
  type OptimizerState,
  readTorchFile,
  type StateDict,
  TorchFileError,
  type TorchValue,
  torchStateDict,
} from "@cursive/tensor";
import type { StrokeBinsName } from "./data/stroke_bins.ts";
import { defaultAlphabet, StrokeTokenizer } from "./data/tokenizer.ts";
import type { TrainerState } from "./train.ts";
import { Transformer, type TransformerConfig } from "./transformer.ts";

/** What a checkpoint's file does not say. */
export interface ReferenceOptions {
  /**
   * The original's arguments, such as a `config.json` beside the file has them: `n_layer`, `n_ctx_head`, `block_size`, `alphabet` and so on.
   * Sizes that it gives must be those of the weights; what it lacks is read off their shapes.
   */
  readonly config?: unknown;
  /** Heads, the one size that weights do not show. Default: the configuration's, else 4, the original's. */
  readonly nHead?: number;
}

/** What a checkpoint of the PyTorch original holds, for training as well. */
export interface ReferenceCheckpoint {
  readonly config: TransformerConfig;
  /** Whether the number of heads is the original's default, because nothing said it. */
  readonly headsAssumed: boolean;
  /** The characters of texts: the configuration's, else the original's. */
  readonly alphabet: string;
  /** Parameters by their names; the causal masks, which the original saves with them, are left out. */
  readonly model: StateDict;
  /** The last step, counted from 0, where the file says: the optimizer has taken one more. */
  readonly step: number | undefined;
  /** The best test loss, where the file says. */
  readonly bestLoss: number | undefined;
  /** AdamW's state, with moments named by parameter (`exp_avg.lm_head.weight`); undefined in files that were saved for sampling only. */
  readonly optimizer: OptimizerState | undefined;
}

/** A model of the PyTorch original, ready for use. */
export interface LoadedReference {
  readonly model: Transformer;
  readonly tokenizer: StrokeTokenizer;
  readonly checkpoint: ReferenceCheckpoint;
}

/** The tokenizers of the original (455 tokens) and of its later version (525). */
const tokenizers = ["polar-151", "polar-220-word"] as const satisfies readonly StrokeBinsName[];

/**
 * Makes the model of a checkpoint that the PyTorch original saved (`best_checkpoint.pt`, or a bare `state_dict`), with the tokenizer that
 * belongs to its vocabulary. A device must be open.
 *
 * @throws {TorchFileError} for a damaged or foreign file, for weights that are not the cursive transformer's, and for a vocabulary or a
 * number of characters that no tokenizer of the original has.
 * @example
 * ```ts
 * const { model, tokenizer, checkpoint } = loadReferenceCheckpoint(await readFile("best_checkpoint.pt"));
 * ```
 */
export function loadReferenceCheckpoint(bytes: Uint8Array, options: ReferenceOptions = {}): LoadedReference {
  const checkpoint = readReferenceCheckpoint(bytes, options);
  const tokenizer = referenceTokenizer(checkpoint);
  const model = new Transformer(checkpoint.config);
  model.loadStateDict(checkpoint.model);
  return { model, tokenizer, checkpoint };
}

/** Reads such a checkpoint without making a model of it. @throws {TorchFileError} unless it is one. */
export function readReferenceCheckpoint(bytes: Uint8Array, options: ReferenceOptions = {}): ReferenceCheckpoint {
  const file = readTorchFile(bytes);
  if (!(file instanceof Map)) throw new TorchFileError("Expected a checkpoint of the cursive transformer but found no dict in the file");
  const root = file as ReadonlyMap<string | number, TorchValue>;
  const all = torchStateDict(root.get("model_state_dict") ?? root, "model_state_dict");
  const model = new Map([...all].filter(([name]) => !isMask(name)));
  const given = fieldsOf(options.config);
  const { config, headsAssumed } = readConfig(model, { given, nHead: options.nHead });
  checkWeights(model, config);
  return {
    config,
    headsAssumed,
    alphabet: typeof given.alphabet === "string" ? given.alphabet : defaultAlphabet,
    model,
    step: numberIn(root, "step"),
    bestLoss: numberIn(root, "best_loss"),
    optimizer: readOptimizer(root.get("optimizer_state_dict"), [...model.keys()]),
  };
}

/** The tokenizer that belongs to a checkpoint. @throws {TorchFileError} if none of the original's does. */
export function referenceTokenizer({ config, alphabet }: Pick<ReferenceCheckpoint, "config" | "alphabet">): StrokeTokenizer {
  const known = tokenizers.map((bins) => new StrokeTokenizer({ bins, alphabet }));
  const tokenizer = known.find(({ vocabSize }) => vocabSize === config.vocabSize);
  if (!tokenizer) {
    const sizes = known.map(({ vocabSize }, i) => `${vocabSize} (${tokenizers[i]})`).join(" or ");
    throw new TorchFileError(`Expected a vocabulary of ${sizes} but found ${config.vocabSize}: no tokenizer of the original has it`);
  }
  if (tokenizer.contextVocabSize !== config.contextVocabSize) {
    throw new TorchFileError(
      `Expected embeddings of ${tokenizer.contextVocabSize} characters, as the alphabet has with the padding, but found ${config.contextVocabSize}`,
    );
  }
  return tokenizer;
}

/**
 * What `Trainer.restore` goes on from: weights, moments, rate and steps of a checkpoint, for a model of its sizes.
 * @throws {TorchFileError} if it was saved without its optimizer.
 */
export function referenceTrainerState({ model, optimizer }: ReferenceCheckpoint, trained: Transformer): TrainerState {
  if (!optimizer)
    throw new TorchFileError("Expected a checkpoint with its optimizer_state_dict but found none: it was saved for sampling only");
  const order = [...trained.namedParameters()].map(([name]) => name);
  const moments = new Map(
    ["exp_avg", "exp_avg_sq"].flatMap((kind) =>
      order.map((name, i) => [`${kind}.${i}`, optimizer.moments.get(`${kind}.${name}`)!] as const),
    ),
  );
  return { step: optimizer.stepCount, model, optimizer: { ...optimizer, moments } };
}

/** The causal masks: buffers whose name is a bias's. */
function isMask(name: string): boolean {
  return /^transformer\.h\.\d+\.attn\.bias$/.test(name);
}

/** The original's names for sizes: those of the first version, then those of the later one. */
const argumentNames = {
  nLayer: ["n_layer"],
  nHead: ["n_ctx_head", "n_head"],
  nEmbd: ["n_embd", "n_embd2", "n_embd_context"],
  blockSize: ["block_size"],
  contextBlockSize: ["context_block_size"],
  vocabSize: ["vocab_size"],
  contextVocabSize: ["context_vocab_size"],
} as const satisfies Record<keyof TransformerConfig, readonly string[]>;

function readConfig(
  state: StateDict,
  { given, nHead: asked }: { readonly given: Readonly<Record<string, unknown>>; readonly nHead: number | undefined },
): { config: TransformerConfig; headsAssumed: boolean } {
  const table = (name: string): readonly [number, number] => {
    const shape = state.get(`transformer.${name}.weight`)?.shape;
    if (shape?.length !== 2 || !shape.every((size) => size > 0))
      throw new TorchFileError(`Expected weights of the cursive transformer but found no table transformer.${name}.weight`);
    return shape as unknown as readonly [number, number];
  };
  const [vocabSize, nEmbd] = table("wte");
  const layers = new Set([...state.keys()].flatMap((name) => /^transformer\.h\.(\d+)\./.exec(name)?.[1] ?? []));
  const heads = asked ?? argumentNames.nHead.map((name) => given[name]).find((value) => value !== undefined);
  const nHead = heads ?? 4;
  if (typeof nHead !== "number" || !Number.isInteger(nHead) || nHead < 1 || nEmbd % nHead !== 0)
    throw new TorchFileError(
      `Expected a number of heads that divides the width of ${nEmbd} but found ${nHead}${heads === undefined ? ", the original's" : ""}`,
    );
  const config: TransformerConfig = {
    nLayer: layers.size,
    nHead,
    nEmbd,
    blockSize: table("wpe")[0],
    contextBlockSize: table("wcpe")[0],
    vocabSize,
    contextVocabSize: table("wce")[0],
  };
  if (layers.size === 0) throw new TorchFileError("Expected weights of the cursive transformer but found none of a block");
  for (const [key, names] of Object.entries(argumentNames)) {
    const size = config[key as keyof TransformerConfig];
    const wrong = key === "nHead" ? undefined : names.find((name) => given[name] !== undefined && given[name] !== size);
    if (wrong !== undefined)
      throw new TorchFileError(`Expected ${wrong} ${size}, the weights', but found ${given[wrong]} in the configuration`);
  }
  return { config, headsAssumed: heads === undefined };
}

/** Every parameter of the original, with its shape: linear weights are [out, in]. */
function referenceShapes({
  nLayer,
  nEmbd: C,
  blockSize,
  contextBlockSize,
  vocabSize,
  contextVocabSize,
}: TransformerConfig): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const linear = (name: string, out: number, from: number): void => {
    shapes.set(`${name}.weight`, [out, from]).set(`${name}.bias`, [out]);
  };
  const norm = (name: string): void => {
    shapes.set(`${name}.weight`, [C]).set(`${name}.bias`, [C]);
  };
  const tables = { wte: vocabSize, wpe: blockSize, wce: contextVocabSize, wcpe: contextBlockSize };
  for (const [name, rows] of Object.entries(tables)) shapes.set(`transformer.${name}.weight`, [rows, C]);
  for (let layer = 0; layer < nLayer; layer++) {
    const at = `transformer.h.${layer}`;
    for (const name of ["ln_1", "ln_2", "ln_3"]) norm(`${at}.${name}`);
    linear(`${at}.attn.c_attn`, 3 * C, C);
    linear(`${at}.attn.c_proj`, C, C);
    linear(`${at}.cross_attn.c_attn_q`, C, C);
    linear(`${at}.cross_attn.c_attn_kv`, 2 * C, C);
    linear(`${at}.cross_attn.c_proj`, C, C);
    linear(`${at}.mlp.c_fc`, 4 * C, C);
    linear(`${at}.mlp.c_proj`, C, 4 * C);
  }
  norm("transformer.ln_f");
  return shapes.set("lm_head.weight", [vocabSize, C]);
}

/** Looks at all weights before a model is made, whose size they decide. */
function checkWeights(state: StateDict, config: TransformerConfig): void {
  const shapes = referenceShapes(config);
  const stranger = [...state.keys()].find((name) => !shapes.has(name));
  if (stranger !== undefined)
    throw new TorchFileError(`Expected weights of the cursive transformer but found ${JSON.stringify(stranger)} too`);
  for (const [name, shape] of shapes) {
    const found = state.get(name);
    if (!found) throw new TorchFileError(`Expected weights of the cursive transformer but found no ${name}`);
    if (found.dtype !== "f32" || found.shape.join() !== shape.join())
      throw new TorchFileError(`Expected ${name} to be f32 [${shape.join(", ")}] but found ${found.dtype} [${found.shape.join(", ")}]`);
  }
}

/** AdamW's state: its parameters are numbered in the order of the state dict. */
function readOptimizer(value: TorchValue | undefined, names: readonly string[]): OptimizerState | undefined {
  if (value === undefined || value === null) return undefined;
  const states = entriesOf(entriesOf(value, "optimizer_state_dict").get("state"), "its state");
  const [group] = listOf(entriesOf(value, "optimizer_state_dict").get("param_groups"));
  const lr = numberIn(entriesOf(group, "its param_groups"), "lr");
  if (states.size === 0 || lr === undefined) return undefined; // saved before its first step
  const moments = new Map<string, HostTensor>();
  const counts = new Set<number>();
  for (const [i, name] of names.entries()) {
    const state = entriesOf(states.get(i), `its state of ${name}`);
    for (const kind of ["exp_avg", "exp_avg_sq"]) moments.set(`${kind}.${name}`, tensorOf(state.get(kind), `${kind} of ${name}`));
    counts.add(numberIn(state, "step") ?? Number.NaN);
  }
  const [stepCount] = counts;
  if (counts.size !== 1 || stepCount === undefined || !(stepCount >= 0))
    throw new TorchFileError(`Expected one number of optimizer steps but found ${[...counts].slice(0, 4).join(", ")}`);
  return { stepCount, lr, moments };
}

function entriesOf(value: TorchValue | undefined, what: string): ReadonlyMap<string | number, TorchValue> {
  if (!(value instanceof Map)) throw new TorchFileError(`Expected a dict as ${what} but found something else`);
  return value as ReadonlyMap<string | number, TorchValue>;
}

function listOf(value: TorchValue | undefined): readonly TorchValue[] {
  return Array.isArray(value) ? value : [];
}

function tensorOf(value: TorchValue | undefined, what: string): HostTensor {
  if (!isHostTensor(value)) throw new TorchFileError(`Expected a tensor as ${what} but found something else`);
  return value;
}

/** A number, which PyTorch may have saved as a tensor of one element. */
function numberIn(dict: ReadonlyMap<string | number, TorchValue>, key: string): number | undefined {
  const value = dict.get(key);
  if (isHostTensor(value) && value.data.length === 1) return value.data[0];
  return typeof value === "number" ? value : undefined;
}

function fieldsOf(config: unknown): Readonly<Record<string, unknown>> {
  if (config === undefined) return {};
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw new TorchFileError("Expected a configuration with n_layer and so on but found something else");
  return config as Readonly<Record<string, unknown>>;
}
