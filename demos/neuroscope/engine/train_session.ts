import { readModelFile } from "./model_file.ts";
import type { TrainConfig } from "./train_config.ts";
import type { RunFile, Tuning } from "./train_file.ts";
import type { TrainHistory } from "./train_history.ts";
import type { DrawnInk } from "./train_ink.ts";
import { ModelSession } from "./train_model.ts";
import type { SaeLook } from "./train_probe.ts";
import { SaeSession } from "./train_sae.ts";

/** What to look at while training: what the model writes, or what features do. */
export type Look = ModelLook | SaeLook;

/** What the model has written at some steps, the latest last. */
export interface ModelLook {
  readonly kind: "model";
  readonly samples: readonly { readonly step: number; readonly inks: readonly DrawnInk[] }[];
}

/** A run in training, of either kind. Between steps all of it may be asked for; while {@link run} goes on, nothing but {@link tune}. */
export interface TrainSession {
  readonly config: TrainConfig;
  /** Steps taken. */
  readonly step: number;
  /** Tokens that a step reads; rows for an autoencoder. */
  readonly tokensPerStep: number;
  readonly history: TrainHistory;
  readonly tuning: Tuning;
  /** The learning rate of the next step, by the schedule and the tuning. */
  readonly rate: number;
  /** What the next step multiplies the sparsity coefficient with; undefined where there is none. */
  readonly sparsityScale?: number;
  /** What a person should know of it, a line each: sizes, what losses weigh. */
  readonly lines: readonly string[];
  /** Takes other factors from the next step on. @throws TensorError for numbers below 0. */
  tune(tuning: Tuning): void;
  /** Takes steps until so many have been taken in all; the history grows. @throws NotFiniteError with the step, where a loss is not finite. */
  run(options: { readonly until: number; readonly signal: AbortSignal }): AsyncGenerator<void>;
  /** The step after which the next look is due. */
  nextLook(): number;
  /** Draws or measures what there is to see. */
  look(options: { readonly feature?: number; readonly signal?: AbortSignal }): Promise<Look>;
  /** Everything that the run needs to go on. */
  save(): Promise<Uint8Array<ArrayBuffer>>;
  /** What was trained, as a file that the other pages open; the command line takes that of an autoencoder with `sae import`. */
  exportWeights(): Promise<Uint8Array<ArrayBuffer>>;
  /** Frees the memory of captured steps. */
  close(): void;
}

/** What a session starts from besides its configuration. */
export interface SessionSources {
  /** The word bank, where the words are a bank's. */
  readonly bank?: Uint8Array<ArrayBuffer>;
  /** The model whose activations an autoencoder is trained on: a file that {@link readModelFile} reads. */
  readonly model?: Uint8Array;
  /** Told how far shaders are compiled and data are read. */
  readonly onStage?: (text: string) => void;
}

/** A loss was found not to be finite. */
export class NotFiniteError extends Error {
  override name = "NotFiniteError";
  readonly step: number;

  constructor(step: number, what: string) {
    super(`Expected finite numbers but found ${what} at step ${step}`);
    this.step = step;
  }
}

/** Begins a run, on the device opened last. @throws ForeignFileError, {WordBankError}, RangeError or TensorError for what makes none. */
export async function startSession(config: TrainConfig, sources: SessionSources): Promise<TrainSession> {
  if (config.kind === "model") return ModelSession.start(config, sources);
  if (!sources.model) throw new RangeError("Expected a model whose activations to train on but found none");
  return SaeSession.start(config, { ...sources, model: await readModelFile(sources.model, "model") });
}

/** Goes on with a run, bit for bit as it would have gone on. @throws What {@link startSession} does, and TensorError for states of other runs. */
export function resumeSession(file: RunFile, sources: Pick<SessionSources, "onStage"> = {}): Promise<TrainSession> {
  return file.record.config.kind === "model" ? ModelSession.resume(file, sources) : SaeSession.resume(file, sources);
}
