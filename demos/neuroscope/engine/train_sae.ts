import { activations, StrokeTokenizer, type Transformer, tokenFilter, type WordDataset } from "@cursive/cursive-model";
import {
  type ActivationStream,
  ArrayStream,
  createSae,
  LiveRows,
  MixingBuffer,
  rateFactor,
  type SaeConfig,
  SaeTrainer,
  type Snapshot,
  type SparseAutoencoder,
  warmupFactor,
  writeSaeFile,
} from "@cursive/sae";
import type { CompileProgress, HostTensor } from "@cursive/tensor";
import { type ModelFile, openModelFile } from "./model_file.ts";
import type { SaeTrainConfig } from "./train_config.ts";
import { type RunFile, type Tuning, writeRunFile } from "./train_file.ts";
import { TrainHistory } from "./train_history.ts";
import { FeatureProbe, type SaeLook } from "./train_probe.ts";
import { NotFiniteError, type SessionSources, type TrainSession } from "./train_session.ts";
import { openExamples } from "./train_words.ts";

const COLUMNS = ["step", "mse", "penalty", "l0", "fvu", "dead", "lr", "milliseconds"] as const;
/** Sequences that go through the model at once. */
const CHUNK = 16;
/** Sequences to look at features on. */
const PROBED = 16;
const STATE = "state/";
const MODEL = "model.";

type Parts = {
  readonly model: ModelFile;
  readonly sae: SparseAutoencoder;
  readonly trainer: SaeTrainer;
  readonly probe: FeatureProbe;
  readonly batchRows: number;
  readonly skipped: number;
  readonly bank: Uint8Array<ArrayBuffer> | undefined;
  readonly history: TrainHistory;
};

/** A sparse autoencoder in training, on the activations of a model as it reads. */
export class SaeSession implements TrainSession {
  readonly config: SaeTrainConfig;
  readonly history: TrainHistory;
  readonly lines: readonly string[];
  readonly #parts: Parts;
  readonly #trainer: SaeTrainer;

  private constructor(config: SaeTrainConfig, parts: Parts) {
    this.config = config;
    this.history = parts.history;
    this.#parts = parts;
    this.#trainer = parts.trainer;
    const left = parts.skipped > 0 ? [`${parts.skipped} words of the bank left out`] : [];
    this.lines = [`on ${config.site} of ${parts.model.name}`, ...left, ...parts.trainer.describe({ batchRows: parts.batchRows })];
  }

  /** A fresh autoencoder. @throws ForeignFileError, RangeError or TensorError for a model, words or a site that do not go together. */
  static async start(config: SaeTrainConfig, sources: Omit<SessionSources, "model"> & { readonly model: ModelFile }): Promise<SaeSession> {
    return new SaeSession(config, await open(config, { ...sources, history: new TrainHistory(COLUMNS) }));
  }

  /** The autoencoder of a saved run. */
  static async resume({ record, tensors, metadata }: RunFile, { onStage }: SessionSources): Promise<SaeSession> {
    const { bank, history, config } = record;
    const named = (prefix: string): Map<string, HostTensor> =>
      new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]));
    const model = { ...(JSON.parse(metadata.model ?? "null") as Omit<ModelFile, "state">), state: named(MODEL) };
    const session = new SaeSession(config as SaeTrainConfig, await open(config as SaeTrainConfig, { bank, onStage, history, model }));
    await session.#trainer.restore({ values: JSON.parse(metadata.values ?? "{}") as Snapshot["values"], tensors: named(STATE) });
    return session;
  }

  get step(): number {
    return this.#trainer.step;
  }

  get tokensPerStep(): number {
    return this.#parts.batchRows;
  }

  get tuning(): Tuning {
    return { rateFactor: this.#trainer.rateFactor, sparsityFactor: this.#trainer.sparsityFactor };
  }

  get rate(): number {
    const { totalSteps, schedule } = this.config.plan.train;
    const { initialLr } = this.#trainer.members[0]!.optimizer;
    return initialLr * rateFactor(Math.min(this.step, totalSteps - 1), totalSteps, schedule) * this.#trainer.rateFactor;
  }

  get sparsityScale(): number {
    return warmupFactor(this.step, this.config.plan.train.sparsityWarmupSteps ?? 0) * this.#trainer.sparsityFactor;
  }

  tune({ rateFactor, sparsityFactor }: Tuning): void {
    this.#trainer.rateFactor = rateFactor;
    this.#trainer.sparsityFactor = sparsityFactor;
  }

  async *run(options: { readonly until: number; readonly signal: AbortSignal }): AsyncGenerator<void> {
    for await (const { step, lr, milliseconds, members } of this.#trainer.run(options)) {
      const { loss, losses, l0, fve, dead } = members[0]!;
      this.history.add({ step, lr, milliseconds, mse: losses.l2, penalty: losses.l1 ?? losses.l0, l0, fvu: 1 - fve, dead });
      if (!Number.isFinite(loss)) throw new NotFiniteError(step, `a loss of ${loss}`);
      yield;
    }
  }

  nextLook(): number {
    const { lookEvery } = this.config;
    return lookEvery * (Math.floor(this.step / lookEvery) + 1);
  }

  look({ feature }: { readonly feature?: number }): Promise<SaeLook> {
    const { activity } = this.#trainer.members[0]!;
    const deadAfter = this.config.plan.train.deadAfterRows ?? 1_000_000;
    return this.#parts.probe.look(this.#parts.sae, { scale: this.#trainer.scaleOf("sae"), activity, deadAfter, feature });
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    const { values, tensors: state } = await this.#trainer.state();
    const { state: weights, ...facts } = this.#parts.model;
    const tensors = new Map<string, HostTensor>();
    for (const [name, tensor] of state) tensors.set(STATE + name, tensor);
    for (const [name, tensor] of weights) tensors.set(MODEL + name, tensor);
    const { config, step, tuning, history } = this;
    const { bank } = this.#parts;
    const record = { config, step, tuning, history, samples: [], ...(bank && { bank }) };
    return writeRunFile({ record, tensors, metadata: { model: JSON.stringify(facts), values: JSON.stringify(values) } });
  }

  async exportWeights(): Promise<Uint8Array<ArrayBuffer>> {
    const { sae, model, trainer } = this.#parts;
    const { preset, site } = this.config;
    const config = { ...(sae.config as unknown as SaeConfig), architecture: sae.architecture } as SaeConfig;
    const tokensTrained = trainer.step * this.#parts.batchRows;
    const about = { name: `${preset}, trained in this tab`, hookSite: site, modelName: model.name, tokensTrained };
    return writeSaeFile({ config, state: await trainer.foldedState("sae"), about });
  }

  close(): void {
    this.#trainer.destroy();
  }
}

/** Makes everything that a session works with, at its start. */
async function open(
  config: SaeTrainConfig,
  sources: Omit<SessionSources, "model"> & { readonly model: ModelFile; readonly history: TrainHistory },
): Promise<Parts> {
  const { model: file, bank, onStage, history } = sources;
  const { plan, words, seed, site } = config;
  onStage?.("preparing the words");
  const model = openModelFile(file);
  const tokenizer = new StrokeTokenizer(file.tokenizer);
  const { blockSize: maxLength, contextBlockSize: contextLength } = file.config;
  const { dataset, skipped } = await openExamples({ words, seed, bank, tokenizer, numWords: 1, maxLength, contextLength });
  const { stream, batchRows } = await streamOf(config, { model, dataset, onStage });
  const sae = createSae(plan.sae);
  const onCompile: CompileProgress = (done, total, what) => onStage?.(`compiling ${what} ${done} of ${total}`);
  const trainer = new SaeTrainer(sae, { ...plan.train, stream, onCompile });
  const probe = await FeatureProbe.open(model, { dataset, site, sequences: PROBED });
  return { model: file, sae, trainer, probe, batchRows, skipped, bank, history };
}

type StreamParts = { readonly model: Transformer; readonly dataset: WordDataset; readonly onStage?: (text: string) => void };

/** Activations as the plan wants them: mixed as the model reads, or whole sequences out of a fixed number. */
async function streamOf(
  { plan: { data }, site, seed }: SaeTrainConfig,
  { model, dataset, onStage }: StreamParts,
): Promise<{ stream: ActivationStream; batchRows: number }> {
  const { batch, split, positions, sequences = 1000 } = data;
  if ("rows" in batch) {
    const everywhere = { theta: true, radius: true, word: true, end: true, pad: true };
    const keep = tokenFilter(dataset.tokenizer, positions === "all" ? everywhere : {});
    const rows = new LiveRows(model, { dataset, site, split, keep, chunk: CHUNK });
    return { stream: new MixingBuffer(rows, { batchRows: batch.rows, bufferRows: batch.bufferRows, seed }), batchRows: batch.rows };
  }
  const all = await wholeSequences(model, { dataset, site, split, sequences, onStage });
  const groupRows = dataset.maxLength;
  return { stream: new ArrayStream(all, { groupRows, groupsPerBatch: batch.sequences, seed }), batchRows: batch.sequences * groupRows };
}

/** The notebook's data: all activations of a number of sequences, in main memory, `[sequences · T, D]`. */
async function wholeSequences(
  model: Transformer,
  options: Omit<StreamParts, "model"> & { readonly site: string; readonly split: "train" | "test"; readonly sequences: number },
): Promise<HostTensor> {
  const { dataset, site, split, sequences, onStage } = options;
  const parts: Float32Array[] = [];
  let [read, dIn] = [0, 0];
  for await (const piece of activations(model, dataset, { sites: site, split, chunk: CHUNK, batchSize: CHUNK })) {
    const rows = piece.activations[site]!;
    dIn = rows.shape[1]!;
    const kept = Math.min(piece.sequences, sequences - read);
    parts.push(((await rows.data()) as Float32Array).subarray(0, kept * dataset.maxLength * dIn));
    read += kept;
    onStage?.(`reading activations, ${read} of ${sequences} sequences`);
    if (read === sequences) break;
  }
  const data = new Float32Array(sequences * dataset.maxLength * dIn);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { shape: [sequences * dataset.maxLength, dIn], dtype: "f32", data };
}
