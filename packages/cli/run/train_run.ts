import type { Evaluation, StepReport, Trainer, TrainerState } from "@cursive/cursive-model";
import { type CompileProgress, type Device, type HostTensor, ShaderError } from "@cursive/tensor";
import type { RunConfig } from "../config/run_config.ts";
import { explainFailure, Interrupted, oneLine, RunFailed } from "../errors.ts";
import { svgToPng } from "../ink/png.ts";
import type { Output } from "../terminal/output.ts";
import { buildTrainer } from "./build_trainer.ts";
import { encodeModel, firstNotFinite, modelMetadata, runCodec } from "./checkpoint.ts";
import { CheckpointStore } from "./checkpoint_store.ts";
import type { RunData } from "./data.ts";
import { readIfThere } from "./files.ts";
import { MetricsFile, readMetrics } from "./metrics.ts";
import { findNotFinite } from "./not_finite.ts";
import { Publisher } from "./publisher.ts";
import type { RunFolder } from "./run_folder.ts";
import { drawSamples, isEarlyStep, nextEarlyStep, samplesName } from "./samples.ts";
import { Speed, statusLine } from "./speed.ts";
import { writeStatus } from "./status.ts";

/** What {@link trainRun} works with. */
export interface TrainRunOptions {
  readonly config: RunConfig;
  readonly data: RunData;
  readonly device: Device;
  readonly folder: RunFolder;
  readonly output: Output;
  /** Aborted when the run is to be saved and left. */
  readonly signal: AbortSignal;
  /** Called after each step; an error that it throws is the step's. By this tests make a device fail. */
  readonly afterStep?: (step: number) => void;
}

/** What came of a run. */
export interface TrainRunResult {
  readonly step: number;
  /** Least loss on held-out words. */
  readonly best: number;
}

/**
 * Trains a run in its folder, from its checkpoint if it has one: saves, evaluates and draws as its configuration says. However this ends,
 * `status.json` says how, and the last checkpoint is whole; with it the run goes on bit for bit.
 *
 * @throws Interrupted once `signal` is aborted and everything is saved; RunFailed, on one line, if the run cannot go on.
 */
export async function trainRun(options: TrainRunOptions): Promise<TrainRunResult> {
  const session = new Session(options);
  try {
    return await session.run();
  } catch (error) {
    throw await session.explain(error);
  } finally {
    options.output.endProgress();
    await session.close();
  }
}

/** The loss or a tensor was found not to be finite after a step. */
class NotFinite extends Error {
  readonly step: number;
  readonly found: string;

  constructor(step: number, found: string) {
    super(`Expected finite numbers but found ${found} at step ${step}`);
    this.step = step;
    this.found = found;
  }
}

class Session {
  readonly #options: TrainRunOptions;
  readonly #trainer: Trainer;
  readonly #metadata: Readonly<Record<string, string>>;
  readonly #store: CheckpointStore<TrainerState>;
  readonly #speed = new Speed();
  #metrics: MetricsFile | undefined;
  #publisher: Publisher | undefined;
  #savedStep = -1;
  #savedAt = performance.now();
  #last: Evaluation | undefined;

  constructor(options: TrainRunOptions) {
    const { config, data, folder, output } = options;
    this.#options = options;
    const onCompile: CompileProgress = (done, total, what) => output.progress(`compiling ${what} ${done}/${total}`);
    this.#trainer = buildTrainer(config, { dataset: data.dataset, onCompile });
    const about = modelMetadata(this.#trainer.model, data.dataset.tokenizer);
    this.#metadata = { ...about, data: data.hash, seed: String(config.seed) };
    this.#store = new CheckpointStore(folder, runCodec(this.#metadata));
  }

  async run(): Promise<TrainRunResult> {
    const { config, signal } = this.#options;
    await this.#begin();
    await this.#marks();
    while (this.#trainer.step < config.steps) {
      signal.throwIfAborted();
      await this.#stretch();
      signal.throwIfAborted();
      if (this.#isCheckpointDue()) await this.#save();
      await this.#marks();
    }
    await this.#save();
    await this.#say("finished");
    await this.#publisher?.report();
    return { step: this.#trainer.step, best: this.#best() };
  }

  async close(): Promise<void> {
    await this.#metrics?.close();
    await this.#publisher?.close();
  }

  /** Leaves the run in order after an error. @returns The error to show. */
  async explain(error: unknown): Promise<unknown> {
    const { folder } = this.#options;
    if (error instanceof Interrupted) {
      try {
        await this.#save();
        await this.#say("interrupted");
        await this.#publisher?.report();
      } catch (failure) {
        return this.explain(failure);
      }
      const message = `interrupted at step ${this.#savedStep}; it is saved, \`train --resume ${folder.name}\` goes on`;
      return new Interrupted(message, { exitCode: error.exitCode });
    }
    const failure = error instanceof NotFinite ? await this.#diagnose(error) : error;
    if (failure instanceof Interrupted) return failure;
    const message = failure instanceof ShaderError ? failure.message : explainFailure(failure);
    if (this.#savedStep < 0) return failure;
    await this.#say("failed", message).catch(() => {}); // what broke the run may keep this from being written too
    await this.#publisher?.report();
    const advice = error instanceof NotFinite ? "" : `, \`train --resume ${folder.name}\` goes on from it`;
    return new RunFailed(`${message}; step ${this.#savedStep} is saved in ${folder.path}${advice}`, { cause: failure });
  }

  async #begin(): Promise<void> {
    const { folder, output } = this.#options;
    const state = await this.#store.load((text) => output.warn(text));
    if (state) {
      this.#restore(state);
      this.#savedStep = state.step;
    }
    const metrics = folder.file("metrics.jsonl");
    if (!state && (await readMetrics(metrics)).length > 0)
      throw new RunFailed(`Expected a checkpoint beside the metrics of ${folder.path} but found none`);
    this.#metrics = await MetricsFile.open(metrics, { step: this.#trainer.step });
    await this.#save();
    await this.#say("running");
    this.#publisher = await Publisher.open({ ...this.#options, step: this.#trainer.step });
  }

  #restore(state: Parameters<Trainer["restore"]>[0]): void {
    try {
      this.#trainer.restore(state);
    } catch (error) {
      throw new RunFailed(`Expected a checkpoint of this run's model but found another: ${oneLine(error)}`);
    }
  }

  /** Takes steps until something else is to be done. */
  async #stretch(): Promise<void> {
    const { signal, config } = this.#options;
    const pause = new AbortController();
    const { everySeconds } = config.checkpoints;
    const until = this.#nextStop();
    for await (const report of this.#trainer.run({ until, signal: AbortSignal.any([signal, pause.signal]) })) {
      this.#options.afterStep?.(report.step);
      if (!Number.isFinite(report.loss)) throw new NotFinite(report.step, `a loss of ${report.loss}`);
      await this.#record(report);
      if (everySeconds !== null && performance.now() - this.#savedAt > 1000 * everySeconds) pause.abort();
    }
  }

  async #record(report: StepReport): Promise<void> {
    const { config, data, output } = this.#options;
    const tokens = config.training.batchSize * data.dataset.maxLength;
    const row = { ...report, tokensPerSecond: Math.round((1000 * tokens) / report.milliseconds) };
    await this.#metrics!.append(row);
    await this.#publisher!.row(row);
    output.event("step", row);
    const milliseconds = this.#speed.add(report.milliseconds);
    output.progress(statusLine(report, { steps: config.steps, tokens, milliseconds, testLoss: this.#last?.loss }));
  }

  /** The step before which there is nothing to do but training. */
  #nextStop(): number {
    const { training, checkpoints, samples, steps } = this.#options.config;
    const { step } = this.#trainer;
    const after = (every: number | null): number => (every === null ? Number.POSITIVE_INFINITY : step - (step % every) + every);
    return Math.min(steps, after(training.evaluateEvery), after(checkpoints.everySteps), samples.early ? nextEarlyStep(step) : steps);
  }

  #isCheckpointDue(): boolean {
    const { everySteps, everySeconds } = this.#options.config.checkpoints;
    const isStep = everySteps !== null && this.#trainer.step % everySteps === 0;
    return isStep || (everySeconds !== null && performance.now() - this.#savedAt > 1000 * everySeconds);
  }

  /**
   * Evaluates and draws what is due at this step and not there yet: a run that was left in the middle of it does it when it goes on. Neither
   * changes anything that training depends on.
   */
  async #marks(): Promise<void> {
    const { config } = this.#options;
    const { step } = this.#trainer;
    const isEvaluationStep = step > 0 && (step % config.training.evaluateEvery === 0 || step === config.steps);
    const isEvaluated = this.#metrics!.evaluations.some((row) => row.step === step);
    if (isEvaluationStep && !isEvaluated) await this.#evaluate();
    if (isEvaluationStep || (config.samples.early && isEarlyStep(step))) await this.#draw(!isEvaluationStep);
    if (isEvaluationStep && step < config.steps) await this.#publisher!.report();
  }

  async #evaluate(): Promise<void> {
    const { signal, output, config } = this.#options;
    await this.#save(); // an evaluation takes long, and may be interrupted
    const { step } = this.#trainer;
    output.progress(`step ${step}/${config.steps}  evaluating`);
    const evaluation = await this.#trainer.evaluate("test", { signal });
    if (!Number.isFinite(evaluation.loss)) throw new NotFinite(step, `a test loss of ${evaluation.loss}`);
    this.#last = evaluation;
    const state = await this.#trainer.state();
    if (evaluation.loss < this.#best()) await this.#saveBest(state); // before the row that says it is there
    const row = { step, testLoss: evaluation.loss, testLossReal: evaluation.lossReal };
    await this.#metrics!.append(row);
    await this.#publisher!.row(row);
    await this.#publisher!.histograms(step, { parameters: state.model, first_moments: this.#firstMoments(state) });
    output.event("evaluation", row);
    output.say(`step ${step}  test loss ${evaluation.loss.toFixed(3)} (${evaluation.lossReal.toFixed(3)} without padding)`);
  }

  /** Saves the model by itself as the best so far. */
  async #saveBest(state: TrainerState): Promise<void> {
    await this.#options.folder.write("checkpoints/best.safetensors", encodeModel(state, this.#metadata));
  }

  /** AdamW's running means of the gradients, by the parameters' names. */
  #firstMoments({ optimizer }: TrainerState): [string, HostTensor][] {
    return [...this.#trainer.model.namedParameters()].map(([name], i) => [name, optimizer.moments.get(`exp_avg.${i}`)!]);
  }

  async #draw(isCut: boolean): Promise<void> {
    const { config, data, folder, output, signal } = this.#options;
    const { step, model } = this.#trainer;
    const [name, pngName] = [samplesName(step), samplesName(step, "png")];
    if (await folder.has(pngName)) return this.#publisher!.samples(step); // drawn by steps that are taken again
    output.progress(`step ${step}/${config.steps}  drawing samples`);
    const about = { ...config.samples, tokenizer: data.dataset.tokenizer, seed: config.seed, isCut, signal };
    const draw = (): Promise<string> =>
      drawSamples(model, about).catch((error) => {
        throw error instanceof RangeError && error.message.includes("NaN") ? new NotFinite(step, "NaN among a sample's logits") : error;
      });
    const drawn = await readIfThere(folder.file(name)); // by a run that was killed before it wrote the PNG
    const sheet = drawn?.toString("utf8") ?? (await draw());
    const path = await folder.write(name, sheet);
    const png = await folder.write(pngName, await svgToPng(sheet));
    await this.#publisher!.samples(step);
    output.event("samples", { step, path, png });
    output.say(`step ${step}  samples ${png}`);
  }

  /** Saves the state of this step, unless it is saved. @throws NotFinite instead of saving what no run could go on from. */
  async #save(): Promise<void> {
    const { output } = this.#options;
    const { step } = this.#trainer;
    if (this.#savedStep === step) return;
    const state = await this.#trainer.state();
    const broken = firstNotFinite(state.model) ?? firstNotFinite(state.optimizer.moments);
    if (broken !== undefined) throw new NotFinite(step, `NaN or infinity in ${broken}`);
    await this.#metrics?.sync(); // so that no checkpoint is ahead of its metrics
    await this.#publisher?.sync();
    const path = await this.#store.save(state);
    this.#savedStep = step;
    this.#savedAt = performance.now();
    await this.#say("running");
    output.event("checkpoint", { step, path });
  }

  async #say(state: "running" | "finished" | "interrupted" | "failed", message?: string): Promise<void> {
    const { config, folder } = this.#options;
    await writeStatus(folder, { state, step: Math.max(0, this.#savedStep), steps: config.steps, message });
  }

  #best(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...(this.#metrics?.evaluations.map((row) => row.testLoss) ?? []));
  }

  /** Goes back to the last checkpoint, takes the same steps again, and looks where the first number that is not finite comes from. */
  async #diagnose({ step, found }: NotFinite): Promise<Error> {
    const { output, signal } = this.#options;
    output.progress(`step ${step}: ${found}; looking for where it comes from`);
    try {
      const state = await this.#store.load();
      if (!state) return new RunFailed(`Expected a finite loss but found ${found} at step ${step}`);
      this.#trainer.restore(state);
      const source = await findNotFinite(this.#trainer, { step, signal });
      return new RunFailed(
        `Expected finite numbers but found ${found} at step ${step}: ${source}; a lower training.lr or training.maxGradNorm may help`,
      );
    } catch (error) {
      return error as Error;
    }
  }
}
