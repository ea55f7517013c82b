import {
  AdamW,
  type CapturedStep,
  type CompileProgress,
  capture,
  type OptimizerState,
  type PlanCost,
  type StateDict,
  StepLR,
  type Tensor,
  TensorError,
} from "@cursive/tensor";
import type { Split, WordDataset } from "./data/dataset.ts";
import { MeanLoss } from "./losses/mean_loss.ts";
import {
  type BatchInputs,
  batchInputs,
  captureTargetLosses,
  pieceSizes,
  sequenceLosses,
  sumTargets,
  type TargetLossesStep,
} from "./losses/target_losses.ts";
import type { Transformer } from "./transformer.ts";

/** How a model is trained. The defaults are the PyTorch original's. */
export interface TrainOptions {
  /** Sequences a step. Default 32. */
  readonly batchSize?: number;
  /** Default 1e-2. */
  readonly lr?: number;
  /** Decay of all parameters. Default 1e-4. */
  readonly weightDecay?: number;
  /** Default [0.9, 0.99]. */
  readonly betas?: readonly [number, number];
  /** The rate is multiplied by `gamma` every `stepSize` steps. Default 0.333 every 33,000. */
  readonly schedule?: { readonly stepSize: number; readonly gamma: number };
  /** Scale gradients down to this norm. Default: not at all. */
  readonly maxGradNorm?: number;
  /** Batches an evaluation takes, and sequences in each. Default 10 of 100. */
  readonly evaluation?: { readonly batches: number; readonly batchSize: number };
  /** Called while the shaders of a step or an evaluation compile, which takes longer than anything else the first time. */
  readonly onCompile?: CompileProgress;
}

/** What one training step did. */
export interface StepReport {
  /** Steps taken so far, this one included. */
  readonly step: number;
  /** Mean cross-entropy over all targets, padding included, before the step's change: the original's definition. */
  readonly loss: number;
  readonly lr: number;
  /** Wall time between this step's end and the last one's. */
  readonly milliseconds: number;
}

/** Losses on fixed batches of a split. */
export interface Evaluation {
  /** Over all targets, padding included, as the original counts. */
  readonly loss: number;
  /** Over targets that are ink or END: what the padding does not flatter. */
  readonly lossReal: number;
}

/** Everything a run needs to go on where it was. */
export interface TrainerState {
  readonly step: number;
  readonly model: StateDict;
  readonly optimizer: OptimizerState;
  /** {@link Trainer.rateFactor}. Default 1. */
  readonly rateFactor?: number;
}

/**
 * The original's training loop: AdamW with a step schedule on augmented batches. The step is captured; the next batch is drawn while the
 * GPU works, and a loss is read one step late, so nothing waits for anything.
 *
 * @example
 * ```ts
 * const trainer = new Trainer(model, { dataset, batchSize: 16 });
 * for await (const { step, loss } of trainer.run({ until: 1000 })) console.log(step, loss);
 * console.log(await trainer.evaluate("test"));
 * ```
 */
export class Trainer {
  readonly model: Transformer;
  readonly dataset: WordDataset;
  readonly optimizer: AdamW;
  readonly #lr: number;
  readonly #schedule: StepLR;
  readonly #batchSize: number;
  readonly #evaluation: { readonly batches: number; readonly batchSize: number };
  readonly #train: CapturedStep<BatchInputs, Tensor>;
  readonly #targetLosses: TargetLossesStep;
  #step = 0;
  #rateFactor = 1;

  constructor(model: Transformer, options: TrainOptions & { readonly dataset: WordDataset }) {
    const { lr = 1e-2, weightDecay = 1e-4, betas = [0.9, 0.99], schedule = { stepSize: 33_000, gamma: 0.333 }, onCompile } = options;
    this.model = model;
    this.#lr = lr;
    this.dataset = options.dataset;
    this.#batchSize = options.batchSize ?? 32;
    this.#evaluation = options.evaluation ?? { batches: 10, batchSize: 100 };
    this.optimizer = new AdamW(model.parameters(), { lr, weightDecay, betas, eps: 1e-8, maxGradNorm: options.maxGradNorm });
    this.#schedule = new StepLR(this.optimizer, schedule);
    const { device } = model.lm_head.weight;
    this.#train = capture((tokens: Tensor, targets: Tensor, context: Tensor) => this.#trainStep(tokens, targets, context), {
      device,
      onCompile,
    });
    this.#targetLosses = captureTargetLosses(model, { onCompile });
  }

  /** Steps taken. */
  get step(): number {
    return this.#step;
  }

  /**
   * What a person multiplies the schedule's rate with, as the run goes; 1 changes nothing. The next step takes it: rates are data, and no
   * captured step is made anew.
   */
  get rateFactor(): number {
    return this.#rateFactor;
  }

  /** @throws TensorError unless it is a number of at least 0. */
  set rateFactor(factor: number) {
    if (!(factor >= 0 && factor < Number.POSITIVE_INFINITY))
      throw new TensorError(`Expected a factor of the rate of at least 0 but found ${factor}`);
    this.#rateFactor = factor;
    this.optimizer.initialLr = this.#lr * factor;
    this.#schedule.stepCount = this.#step; // sets the rate anew
  }

  /**
   * Trains until `until` steps have been taken in all, or `signal` asks to stop; then every step taken has been reported. Who leaves the
   * loop instead misses one report: that of the step under way.
   */
  async *run(options: { readonly until: number; readonly signal?: AbortSignal }): AsyncGenerator<StepReport> {
    let waiting: { step: number; lr: number; loss: Tensor } | undefined;
    let last = performance.now();
    const report = async ({ step, lr, loss }: { step: number; lr: number; loss: Tensor }): Promise<StepReport> => {
      const value = await loss.item();
      const now = performance.now();
      const milliseconds = now - last;
      last = now;
      return { step, loss: value, lr, milliseconds };
    };
    let batch = this.#step < options.until ? this.#batch(this.#step) : undefined;
    while (batch && !options.signal?.aborted) {
      const { lr } = this.optimizer;
      const loss = await this.#train(...batch);
      this.#schedule.step();
      this.#step++;
      batch = this.#step < options.until ? this.#batch(this.#step) : undefined; // while the GPU works
      if (waiting) yield await report(waiting);
      waiting = { step: this.#step, lr, loss };
    }
    if (waiting) yield await report(waiting);
  }

  /**
   * Mean losses over the first batches of a split; the same ones each time, so that evaluations can be compared. Batches larger than a
   * training step's go through in pieces of its size, so an evaluation needs no more memory than training does.
   *
   * @throws The reason of `signal`, if it asks to stop.
   */
  async evaluate(split: Split, options: { readonly signal?: AbortSignal } = {}): Promise<Evaluation> {
    const [all, real] = [new MeanLoss(), new MeanLoss()];
    const { dataset } = this;
    const which = { ...this.#evaluation, dataset, split, pieceSize: this.#batchSize, signal: options.signal };
    for await (const sequence of sequenceLosses([this.#targetLosses], which)) {
      all.add(sumTargets(sequence));
      real.add(sumTargets(sequence, { where: (target) => target !== dataset.tokenizer.padToken }));
    }
    return { loss: all.measure().loss, lossReal: real.measure().loss };
  }

  /** Compiles and plans a training step without taking it: what it costs beside the parameters, their gradients and moments. */
  async prepare(): Promise<PlanCost> {
    return this.#train.prepare(...this.#batch(this.#step));
  }

  /** Compiles and plans an evaluation without doing it. @returns The bytes that all later ones keep. */
  async prepareEvaluation(): Promise<number> {
    const { dataset } = this;
    const { batchSize } = this.#evaluation;
    const batch = dataset.batch({ step: 0, batchSize, split: "train" }); // any batch is of the same shape
    let bytes = 0;
    for (const size of pieceSizes({ batchSize, pieceSize: this.#batchSize }))
      bytes += (await this.#targetLosses.prepare(...batchInputs(batch, { dataset, start: 0, end: size }))).bytes;
    return bytes;
  }

  /** Reads everything back that {@link restore} needs. Between runs only. */
  async state(): Promise<TrainerState> {
    const [model, optimizer] = [await this.model.stateDict(), await this.optimizer.stateDict()];
    return { step: this.#step, model, optimizer, rateFactor: this.#rateFactor };
  }

  /** Goes back to a state. @throws TensorError if any part of it belongs to another model; then nothing is changed. */
  restore(state: TrainerState): void {
    this.model.checkStateDict(state.model);
    this.optimizer.checkStateDict(state.optimizer);
    this.model.loadStateDict(state.model);
    this.optimizer.loadStateDict(state.optimizer);
    this.#step = state.step;
    this.rateFactor = state.rateFactor ?? 1; // and the schedule's place
  }

  #trainStep(tokens: Tensor, targets: Tensor, context: Tensor): Tensor {
    this.optimizer.zeroGrad();
    const { loss } = this.model.forward(tokens, context, targets);
    loss!.backward();
    this.optimizer.step();
    return loss!;
  }

  #batch(step: number): BatchInputs {
    const batch = this.dataset.batch({ step, batchSize: this.#batchSize, split: "train" });
    return batchInputs(batch, { dataset: this.dataset, start: 0, end: this.#batchSize });
  }
}
