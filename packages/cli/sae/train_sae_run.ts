import { type ActivationStream, createSae, type MemberReport, type SaeConfig, type SaeStepReport, SaeTrainer } from "@cursive/sae";
import { type CompileProgress, ShaderError, TensorError } from "@cursive/tensor";
import { explainFailure, Interrupted, oneLine, RunFailed, UsageError } from "../errors.ts";
import { firstNotFinite } from "../run/checkpoint.ts";
import { CheckpointStore } from "../run/checkpoint_store.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { Speed } from "../run/speed.ts";
import { type RunStatus, writeStatus } from "../run/status.ts";
import { StepLog } from "../run/step_log.ts";
import type { Output } from "../terminal/output.ts";
import { clock, short } from "../terminal/progress.ts";
import { type GridMember, gridMembers } from "./grid.ts";
import { saeConfigOf, trainOptionsOf } from "./resolve_sae_config.ts";
import { type SaeRunState, saeCodec } from "./sae_codec.ts";
import type { SaeRunConfig } from "./sae_config.ts";
import { type SaeRow, saeRow } from "./sae_metrics.ts";
import { SaePublisher } from "./sae_publisher.ts";
import type { SaeSource } from "./sae_source.ts";
import { encodeSae } from "./save_sae.ts";

/** What {@link trainSaeRun} works with. */
export interface TrainSaeRunOptions {
  readonly config: SaeRunConfig;
  readonly source: SaeSource;
  readonly trainer: SaeTrainer;
  readonly folder: RunFolder;
  readonly output: Output;
  /** Aborted when the run is to be saved and left. */
  readonly signal: AbortSignal;
}

/** What came of an autoencoder: means over the last steps. */
export interface TrainedSae {
  readonly name: string;
  /** TransformerLens' name. */
  readonly hook: string;
  readonly path: string;
  readonly latents: number;
  readonly l0: number;
  readonly fve: number;
  readonly mse: number;
  readonly dead: number;
}

/** Steps that final figures are means of: the last tenth of a run's, at most 50. */
export function lastSteps(steps: number): number {
  return Math.min(50, Math.ceil(steps / 10));
}

/** A trainer for a configuration. @throws UsageError for values that make no autoencoder or no training. */
export async function buildSaeTrainer(
  config: SaeRunConfig,
  options: { readonly source: SaeSource; readonly stream: ActivationStream; readonly output: Output },
): Promise<SaeTrainer> {
  const { source, stream, output } = options;
  const onCompile: CompileProgress = (done, total, what) => output.progress(`compiling ${what} ${done}/${total}`);
  try {
    const { sites } = source;
    const members = gridMembers(config).map(({ name, site, config: own }) => ({
      name,
      sae: createSae(saeConfigOf(own.sae, sites[site]!.width)),
      lr: own.training.lr,
      ...(sites.length > 1 && { site: sites[site]!.name }),
    }));
    return new SaeTrainer(members, { ...trainOptionsOf(config), stream, onCompile });
  } catch (error) {
    throw error instanceof TensorError ? new UsageError(oneLine(error)) : error;
  }
}

/**
 * Trains autoencoders in a run's folder, from its checkpoint if it has one, and leaves each as a file there. However this ends, `status.json`
 * says how, and the last checkpoint is whole; with it the run goes on bit for bit.
 *
 * @throws Interrupted once `signal` is aborted and everything is saved; RunFailed, on one line, if the run cannot go on.
 */
export async function trainSaeRun(options: TrainSaeRunOptions): Promise<readonly TrainedSae[]> {
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

/** A loss or a tensor was found not to be finite. */
class NotFinite extends Error {
  constructor(step: number, found: string) {
    super(`Expected finite numbers but found ${found} at step ${step}; a lower training.lr or training.maxGradNorm may help`);
  }
}

class Session {
  readonly #options: TrainSaeRunOptions;
  readonly #members: readonly GridMember[];
  readonly #store: CheckpointStore<SaeRunState>;
  readonly #speed = new Speed();
  readonly #latest: SaeStepReport[] = [];
  #log: StepLog<SaeRow> | undefined;
  #publisher: SaePublisher | undefined;
  #savedStep = -1;
  #savedAt = performance.now();

  constructor(options: TrainSaeRunOptions) {
    const { config, source, folder } = options;
    this.#options = options;
    this.#members = gridMembers(config);
    const { checkpoints: _, logging: __, ...what } = config; // how often it is saved and told of changes nothing
    this.#store = new CheckpointStore(folder, saeCodec({ config: JSON.stringify(what), data: source.hash }));
  }

  async run(): Promise<readonly TrainedSae[]> {
    const { config, trainer, signal } = this.#options;
    await this.#begin();
    while (trainer.step < config.steps) {
      signal.throwIfAborted();
      const before = trainer.step;
      await this.#stretch();
      signal.throwIfAborted();
      if (trainer.step === before) throw new RunFailed(`Expected rows for ${config.steps} steps but found them to end at step ${before}`);
      await this.#save();
    }
    await this.#save();
    const results = await this.#finish();
    await this.#say("finished");
    await this.#publisher?.report();
    return results;
  }

  async close(): Promise<void> {
    await this.#log?.close();
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
      const message = `interrupted at step ${this.#savedStep}; it is saved, \`sae train --resume ${folder.name}\` goes on`;
      return new Interrupted(message, { exitCode: error.exitCode });
    }
    if (this.#savedStep < 0) return error;
    const message = error instanceof ShaderError ? error.message : explainFailure(error);
    await this.#say("failed", message).catch(() => {}); // what broke the run may keep this from being written too
    await this.#publisher?.report();
    if (error instanceof UsageError) return error;
    const advice = error instanceof NotFinite ? "" : `, \`sae train --resume ${folder.name}\` goes on from it`;
    return new RunFailed(`${message}; step ${this.#savedStep} is saved in ${folder.path}${advice}`, { cause: error });
  }

  async #begin(): Promise<void> {
    const { folder, output, trainer } = this.#options;
    const state = await this.#store.load((text) => output.warn(text));
    if (state) {
      await trainer.restore(state.snapshot);
      this.#savedStep = state.step;
    }
    this.#log = await StepLog.open<SaeRow>(folder.file("metrics.jsonl"), { step: trainer.step });
    await this.#save();
    await this.#say("running");
    const { step } = trainer;
    this.#publisher = await SaePublisher.open({ ...this.#options, rows: this.#log.before, step });
  }

  /** Takes steps until the next checkpoint. */
  async #stretch(): Promise<void> {
    const { config, trainer, signal } = this.#options;
    const { everySteps, everySeconds } = config.checkpoints;
    const pause = new AbortController();
    const until = everySteps === null ? config.steps : Math.min(config.steps, trainer.step - (trainer.step % everySteps) + everySteps);
    for await (const report of trainer.run({ until, signal: AbortSignal.any([signal, pause.signal]) })) {
      await this.#record(report);
      if (everySeconds !== null && performance.now() - this.#savedAt > 1000 * everySeconds) pause.abort();
    }
  }

  async #record(report: SaeStepReport): Promise<void> {
    const { config, source, trainer, output } = this.#options;
    const { step, members } = report;
    const broken = members.find(({ loss }) => !Number.isFinite(loss));
    if (broken) throw new NotFinite(step, `a loss of ${broken.loss}${members.length > 1 ? ` of ${broken.name}` : ""}`);
    const row = saeRow(report, { trained: trainer.members, batchRows: source.batchRows });
    await this.#log!.append(row);
    await this.#publisher!.append(row);
    this.#latest.push(report);
    if (this.#latest.length > lastSteps(config.steps)) this.#latest.shift();
    output.event("step", row);
    const milliseconds = this.#speed.add(report.milliseconds);
    output.progress(statusLine(report, { steps: config.steps, batchRows: source.batchRows, milliseconds }));
  }

  /** Saves the state of this step, unless it is saved. */
  async #save(): Promise<void> {
    const { trainer, output } = this.#options;
    const { step } = trainer;
    if (this.#savedStep === step) return;
    const snapshot = await trainer.state();
    const floats = [...snapshot.tensors].filter(([, { dtype }]) => dtype === "f32");
    const broken = firstNotFinite(floats);
    if (broken !== undefined) throw new NotFinite(step, `NaN or infinity in ${broken}`);
    await this.#log?.sync(); // so that no checkpoint is ahead of its metrics
    await this.#publisher?.sync();
    const path = await this.#store.save({ step, snapshot });
    this.#savedStep = step;
    this.#savedAt = performance.now();
    await this.#say("running");
    await this.#publisher?.report();
    output.event("checkpoint", { step, path });
  }

  /** Writes each autoencoder for activations as they are. */
  async #finish(): Promise<TrainedSae[]> {
    const { source, trainer, folder, output } = this.#options;
    const results: TrainedSae[] = [];
    for (const [i, { name, site }] of this.#members.entries()) {
      const { sae } = trainer.members[i]!;
      const file = this.#members.length > 1 ? `sae-${name}.safetensors` : "sae.safetensors";
      const config = { ...sae.config, architecture: sae.architecture } as unknown as SaeConfig;
      const { name: hook } = source.sites[site]!;
      const origin = { hook, ...source.origin, trainedBy: folder.name, steps: trainer.step, rows: trainer.step * source.batchRows };
      const path = await folder.write(file, encodeSae(await trainer.foldedState(name), { config, origin }));
      const latest = this.#latest.map(({ members }) => members[i]!);
      const mean = (figure: (report: MemberReport) => number): number =>
        latest.reduce((sum, report) => sum + figure(report), 0) / latest.length;
      const result = {
        ...{ name, hook, path, latents: sae.config.dSae, l0: mean(({ l0 }) => l0), fve: mean(({ fve }) => fve) },
        ...{ mse: mean(({ losses }) => losses.l2!), dead: latest.at(-1)?.dead ?? Number.NaN },
      };
      results.push(result);
      output.event("sae", result);
    }
    return results;
  }

  async #say(state: RunStatus["state"], message?: string): Promise<void> {
    const { config, folder } = this.#options;
    await writeStatus(folder, { state, step: Math.max(0, this.#savedStep), steps: config.steps, message });
  }
}

/** Where training stands, in a line; of several autoencoders from the least to the greatest. */
function statusLine(
  { step, members }: SaeStepReport,
  about: { readonly steps: number; readonly batchRows: number; readonly milliseconds: number },
): string {
  const { steps, batchRows, milliseconds } = about;
  const range = (figure: (member: MemberReport) => number, digits: number): string => {
    const values = members.map(figure);
    const ends = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
    return ends[0] === ends[1] ? ends[0]! : ends.join("…");
  };
  return [
    `step ${step}/${steps}`,
    `mse ${range(({ losses }) => losses.l2!, 3)}`,
    `FVE ${range(({ fve }) => fve, 3)}`,
    `L0 ${range(({ l0 }) => l0, 1)}`,
    `dead ${range(({ dead }) => dead, 0)}`,
    `${short((1000 * batchRows) / milliseconds)} rows/s`,
    `${milliseconds.toFixed(0)} ms`,
    `ETA ${clock(((steps - step) * milliseconds) / 1000)}`,
  ].join("  ");
}
