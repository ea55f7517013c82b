import { generate, StrokeTokenizer, Trainer, Transformer } from "@cursive/cursive-model";
import { type CompileProgress, type HostTensor, TensorError } from "@cursive/tensor";
import type { ModelTrainConfig } from "./train_config.ts";
import { type RunFile, type Sample, sealed, type Tuning, writeRunFile } from "./train_file.ts";
import { TrainHistory } from "./train_history.ts";
import { type DrawnInk, drawnInk } from "./train_ink.ts";
import { type Look, NotFiniteError, type SessionSources, type TrainSession } from "./train_session.ts";
import { openExamples } from "./train_words.ts";

/** `heldOut` is of all targets, as `loss` is; `heldOutInk` of those that are no padding. */
const COLUMNS = ["step", "loss", "heldOut", "heldOutInk", "lr", "milliseconds"] as const;
/** Tokens that early samples are cut to: what a model writes then is scribbles without end. */
const EARLY_TOKENS = 64;
/** Samples that are kept. */
const MOST_SAMPLES = 24;

/** A handwriting model in training. */
export class ModelSession implements TrainSession {
  readonly config: ModelTrainConfig;
  readonly history: TrainHistory;
  readonly lines: readonly string[];
  readonly #trainer: Trainer;
  readonly #tokenizer: StrokeTokenizer;
  readonly #bank: Uint8Array<ArrayBuffer> | undefined;
  #samples: readonly Sample[];
  #tuning: Tuning = { rateFactor: 1, sparsityFactor: 1 };

  private constructor(
    config: ModelTrainConfig,
    parts: {
      trainer: Trainer;
      skipped: number;
      bank: Uint8Array<ArrayBuffer> | undefined;
      history: TrainHistory;
      samples: readonly Sample[];
    },
  ) {
    this.config = config;
    this.#trainer = parts.trainer;
    this.#tokenizer = parts.trainer.dataset.tokenizer;
    this.#bank = parts.bank;
    this.history = parts.history;
    this.#samples = parts.samples;
    const parameters = [...parts.trainer.model.parameters()].reduce((sum, { size }) => sum + size, 0);
    const { train, test } = parts.trainer.dataset.words;
    this.lines = [
      `${parameters.toLocaleString("en")} parameters, ${this.tokensPerStep.toLocaleString("en")} tokens a step`,
      `${train.length.toLocaleString("en")} words to train on, ${test.length} held out${parts.skipped > 0 ? `, ${parts.skipped} of the bank left out` : ""}`,
    ];
  }

  /** A fresh model. @throws RangeError for words that make no examples. */
  static async start(config: ModelTrainConfig, { bank, onStage }: SessionSources): Promise<ModelSession> {
    return ModelSession.#open(config, { bank, onStage, history: new TrainHistory(COLUMNS), samples: [] });
  }

  /** The model of a saved run. */
  static async resume({ record, tensors, metadata }: RunFile, { onStage }: SessionSources): Promise<ModelSession> {
    const { bank, history, samples, tuning, step } = record;
    const session = await ModelSession.#open(record.config as ModelTrainConfig, { bank, onStage, history, samples });
    session.#trainer.restore({
      step,
      model: under(tensors, "model."),
      optimizer: { stepCount: Number(metadata.stepCount), lr: Number(metadata.lr), moments: under(tensors, "optimizer.") },
      rateFactor: tuning.rateFactor,
    });
    session.#tuning = tuning;
    return session;
  }

  static async #open(
    config: ModelTrainConfig,
    { bank, onStage, ...kept }: SessionSources & { history: TrainHistory; samples: readonly Sample[] },
  ): Promise<ModelSession> {
    const { data, words, seed } = config;
    onStage?.(words.source === "bank" ? "reading the words" : `writing ${words.count.toLocaleString("en")} words`);
    const tokenizer = new StrokeTokenizer({ bins: data.bins, decode: "centre" });
    const { dataset, skipped } = await openExamples({ words, seed, bank, tokenizer, ...data });
    const { vocabSize, contextVocabSize } = tokenizer;
    const sizes = { blockSize: data.maxLength, contextBlockSize: data.contextLength, vocabSize, contextVocabSize };
    const model = new Transformer({ ...config.model, ...sizes }, { seed });
    const onCompile: CompileProgress = (done, total, what) => onStage?.(`compiling ${what} ${done} of ${total}`);
    return new ModelSession(config, { trainer: new Trainer(model, { ...config.training, dataset, onCompile }), skipped, bank, ...kept });
  }

  get step(): number {
    return this.#trainer.step;
  }

  get tokensPerStep(): number {
    return this.config.training.batchSize * this.config.data.maxLength;
  }

  get tuning(): Tuning {
    return this.#tuning;
  }

  get rate(): number {
    return this.#trainer.optimizer.lr;
  }

  tune(tuning: Tuning): void {
    this.#trainer.rateFactor = tuning.rateFactor;
    this.#tuning = tuning;
  }

  async *run(options: { readonly until: number; readonly signal: AbortSignal }): AsyncGenerator<void> {
    for await (const { step, loss, lr, milliseconds } of this.#trainer.run(options)) {
      this.history.add({ step, loss, lr, milliseconds });
      if (!Number.isFinite(loss)) throw new NotFiniteError(step, `a loss of ${loss}`);
      yield;
    }
  }

  /** Steps 1, 10, 30, 100, 300, … and every `lookEvery`. */
  nextLook(): number {
    const { lookEvery } = this.config;
    return Math.min(nextEarly(this.step), lookEvery * (Math.floor(this.step / lookEvery) + 1));
  }

  /** What the model writes now, and its loss on held-out words. */
  async look({ signal }: { readonly signal?: AbortSignal }): Promise<Look> {
    const { step, config, history } = this;
    if (this.#samples.at(-1)?.step !== step) {
      if (history.length > 0) {
        const { loss, lossReal } = await this.#trainer.evaluate("test", { signal });
        history.amend({ heldOut: loss, heldOutInk: lossReal });
      }
      const maxTokens = step < config.lookEvery ? Math.min(EARLY_TOKENS, config.data.maxLength) : config.data.maxLength;
      const tokens = await generate(this.#trainer.model, {
        tokenizer: this.#tokenizer,
        ...config.samples,
        seed: config.seed,
        maxTokens,
        signal,
      });
      this.#samples = thinned([...this.#samples, { step, tokens: tokens.map((text) => Array.from(text)) }]);
    }
    return { kind: "model", samples: this.#samples.map((sample) => ({ step: sample.step, inks: this.#inksOf(sample) })) };
  }

  #inksOf({ tokens }: Sample): DrawnInk[] {
    return tokens.map((text, i) => drawnInk(this.config.samples.texts[i] ?? "", this.#tokenizer.segments(text)));
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    const { step, model, optimizer } = await this.#trainer.state();
    const tensors = new Map<string, HostTensor>();
    for (const [name, tensor] of model) tensors.set(`model.${name}`, tensor);
    for (const [name, tensor] of optimizer.moments) tensors.set(`optimizer.${name}`, tensor);
    const counts = { stepCount: String(optimizer.stepCount), lr: String(optimizer.lr), seed: String(this.config.seed) };
    const { config, tuning, history } = this;
    const record = { config, step, tuning, history, samples: this.#samples, ...(this.#bank && { bank: this.#bank }) };
    return writeRunFile({ record, tensors, metadata: { ...this.#facts(), ...counts } });
  }

  async exportWeights(): Promise<Uint8Array<ArrayBuffer>> {
    return sealed(await this.#trainer.model.stateDict(), { ...this.#facts(), format: "cursive-model", step: String(this.step) });
  }

  close(): void {}

  /** What a model's file says of it. */
  #facts(): Record<string, string> {
    const { preset, words } = this.config;
    return {
      name: `${preset}, trained in this tab`,
      config: JSON.stringify(this.#trainer.model.config),
      tokenizer: JSON.stringify(this.#tokenizer),
      ...(words.source === "cursive" && { characters: words.characters, longestWord: String(words.letters[1]) }),
    };
  }
}

/** The tensors whose names begin so, without that beginning. */
function under(tensors: ReadonlyMap<string, HostTensor>, prefix: string): Map<string, HostTensor> {
  const found = [...tensors]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
  if (found.length === 0) throw new TensorError(`Expected tensors '${prefix}…' in the saved run but found none`);
  return new Map(found);
}

/** The first step after one of the form 1, 10, 30, 100, 300, … */
function nextEarly(step: number): number {
  if (step < 1) return 1;
  for (let power = 10; ; power *= 10) {
    if (power > step) return power;
    if (3 * power > step) return 3 * power;
  }
}

/** Every second one left out, but for the last, where there are more than are kept. */
function thinned(samples: readonly Sample[]): readonly Sample[] {
  return samples.length <= MOST_SAMPLES ? samples : samples.filter((_, i) => i % 2 === 0 || i === samples.length - 1);
}
