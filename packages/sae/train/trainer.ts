import {
  type CapturedStep,
  capture,
  createRng,
  type Device,
  fromHost,
  type HostTensor,
  noGrad,
  type PlanCost,
  type StateDict,
  Tensor,
  TensorError,
} from "@cursive/tensor";
import { iteratorOf } from "../data/activation_rows.ts";
import type { ActivationBatch, ActivationStream, StreamBatch } from "../data/stream_batch.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { isResumable, joinSnapshots, partOf, type Snapshot } from "../snapshot.ts";
import { describeTraining } from "./describe.ts";
import { foldScale } from "./fold.ts";
import { type MemberStep, TrainedMember } from "./member.ts";
import { type ResolvedOptions, resolveOptions, type SaeMember, type SaeTrainOptions } from "./options.ts";
import { type Candidates, resampleLatents } from "./resample.ts";
import { rateFactor, warmupFactor } from "./schedule.ts";
import { checkMembers, sitesOf, type TrainedSite, totalVariance } from "./trained_site.ts";

/** What one step did to one autoencoder. */
export interface MemberReport {
  readonly name: string;
  /** Before the step's change, as all losses here. */
  readonly loss: number;
  /** The terms as they enter the loss, `l2` = mean ‖x̂ − x‖² in the scale trained at. */
  readonly losses: Readonly<Record<string, number>>;
  /** Mean number of features above 0 in a row. */
  readonly l0: number;
  /** Fraction of this batch's variance explained: 1 − Σ‖x̂ − x‖² / Σ‖x − x̄‖². */
  readonly fve: number;
  /** Latents silent for `deadAfterRows` rows. */
  readonly dead: number;
  readonly gradNorm?: number;
  /** Latents that got new weights before this step, where any did. */
  readonly resampled?: number;
}

/** What one step did. */
export interface SaeStepReport {
  /** Steps taken so far, this one included. */
  readonly step: number;
  /** Rows trained on so far. */
  readonly rows: number;
  /** Of the first member; the others' rates are in proportion. */
  readonly lr: number;
  /** What the sparsity coefficient was multiplied with: the share that the warm-up lets through, times {@link SaeTrainer.sparsityFactor}. */
  readonly sparsityScale: number;
  /** Wall time between this step's end and the last one's. */
  readonly milliseconds: number;
  readonly members: readonly MemberReport[];
}

/** A type and no interface: only such are records that a captured step may return. */
type StepResult = {
  /** Mean over rows of ‖x − x̄‖² at each site. */
  readonly variances: readonly Tensor[];
  readonly members: readonly MemberStep[];
};

interface Waiting {
  readonly result: StepResult;
  readonly report: Pick<SaeStepReport, "step" | "rows" | "lr" | "sparsityScale">;
  readonly batchRows: number;
  readonly resampled: ReadonlyMap<string, number>;
}

type Step = CapturedStep<[sparsityScale: HostTensor, ...activations: ActivationBatch[]], StepResult>;

/** Steps between two looks at whether any latent is dead, after which the step has, or has not, losses for dead latents. */
const LOOK_FOR_DEAD = 50;

/**
 * Trains one or several autoencoders (a grid of coefficients, k, seeds, at one site or at several) on one stream of activations, all in one
 * captured step. It never sees the model that the activations come from.
 *
 * @example
 * ```ts
 * const sae = createSae({ architecture: "topk", dIn: 64, dSae: 512, k: 8 });
 * const trainer = new SaeTrainer(sae, { stream: buffer, totalSteps: 5000, activationScale: "sqrt-width", bDecInit: "geometric-median" });
 * for (const line of trainer.describe({ batchRows: 4096 })) console.log(line);
 * for await (const { step, members } of trainer.run({ until: 5000 })) console.log(step, members[0].l0, members[0].fve);
 * const weights = await trainer.foldedState("sae"); // for activations as they are
 * ```
 */
export class SaeTrainer {
  readonly members: readonly TrainedMember[];
  readonly #options: ResolvedOptions;
  readonly #device: Device;
  readonly #stream: AsyncIterator<StreamBatch>;
  readonly #sites: readonly TrainedSite[];
  readonly #steps: { readonly [withDead in "true" | "false"]: Step };
  #rateFactor = 1;
  #sparsityFactor = 1;
  #isInitialized = false;
  #step = 0;
  #rows = 0;
  #withDead = false;

  /** @throws TensorError for members of one name, or of different widths at one site, or of which only some have a site. */
  constructor(saes: SparseAutoencoder | readonly SaeMember[], options: SaeTrainOptions & { readonly stream: ActivationStream }) {
    const { stream, ...rest } = options;
    const members = Array.isArray(saes) ? (saes as readonly SaeMember[]) : [{ name: "sae", sae: saes as SparseAutoencoder }];
    checkMembers(members);
    this.#options = resolveOptions(rest);
    this.members = members.map((member) => new TrainedMember(member, this.#options));
    this.#device = members[0]!.sae.W_dec.device;
    this.#stream = iteratorOf(stream);
    this.#sites = sitesOf(this.members, { ...this.#options, device: this.#device });
    const { onCompile } = this.#options;
    const captured = (withDead: boolean): Step =>
      capture((sparsityScale: Tensor, ...activations: Tensor[]) => this.#trainStep(activations, { sparsityScale, withDead }), {
        device: this.#device,
        onCompile,
      });
    this.#steps = { true: captured(true), false: captured(false) };
  }

  /** Steps taken. */
  get step(): number {
    return this.#step;
  }

  /** What a member's activations are multiplied with before training; 1 before the first step. @throws TensorError for an unknown name. */
  scaleOf(name: string): number {
    return this.#siteOf(this.#member(name)).scale;
  }

  /** What a person multiplies the schedule's rate with, as the run goes; 1 changes nothing. The next step takes it. */
  get rateFactor(): number {
    return this.#rateFactor;
  }

  /** @throws TensorError unless it is a number of at least 0. */
  set rateFactor(factor: number) {
    this.#rateFactor = checkFactor("rate", factor);
  }

  /** What a person multiplies the sparsity coefficients (L1, L0) with, as the run goes, on top of the warm-up. The next step takes it. */
  get sparsityFactor(): number {
    return this.#sparsityFactor;
  }

  /** @throws TensorError unless it is a number of at least 0. */
  set sparsityFactor(factor: number) {
    this.#sparsityFactor = checkFactor("sparsity coefficient", factor);
  }

  /** Every setting with its units, a line each: losses with what their coefficients come to for a row, schedules, dead latents. */
  describe(about: { readonly batchRows: number }): string[] {
    return describeTraining(this.members, this.#options, about);
  }

  /**
   * Trains until `until` steps have been taken in all, the stream ends, or `signal` asks to stop; then every step taken has been reported.
   * Who leaves the loop instead misses one report: that of the step under way.
   */
  async *run(options: { readonly until: number; readonly signal?: AbortSignal }): AsyncGenerator<SaeStepReport> {
    await this.#initialize();
    let waiting: Waiting | undefined;
    let last = performance.now();
    const finish = async (done: Waiting): Promise<SaeStepReport> => {
      const members = await this.#read(done);
      const now = performance.now();
      const milliseconds = now - last;
      last = now;
      return { ...done.report, milliseconds, members };
    };
    while (this.#step < options.until && !options.signal?.aborted) {
      const resampled = await this.#resample();
      if (this.#step % LOOK_FOR_DEAD === 0) this.#withDead = await this.#anyDead();
      const batch = await this.#next();
      if (!batch) break;
      const { result, report } = await this.#take(batch);
      if (waiting) yield await finish(waiting);
      waiting = { result, report, batchRows: batch[0]!.shape[0]!, resampled };
    }
    if (waiting) yield await finish(waiting);
  }

  /** Compiles and plans a step on batches of so many rows without taking it. */
  async prepare({ batchRows }: { readonly batchRows: number }): Promise<PlanCost> {
    const batch = this.#sites.map(
      ({ dIn }): HostTensor => ({ shape: [batchRows, dIn], dtype: "f32", data: new Float32Array(batchRows * dIn) }),
    );
    return this.#steps[`${this.#withDead}`].prepare(scalar(1), ...batch);
  }

  /** A member's weights for activations as they are, the scale folded in. @throws TensorError for an unknown name. */
  async foldedState(name: string): Promise<StateDict> {
    return foldScale(await this.#member(name).sae.stateDict(), this.scaleOf(name));
  }

  /** Reads everything back that {@link restore} needs: weights, moments, counters, scale, and the stream if it can. Between runs only. */
  async state(): Promise<Snapshot> {
    const own: Snapshot = {
      values: {
        ...{ step: this.#step, rows: this.#rows, withDead: this.#withDead },
        scales: this.#isInitialized ? this.#sites.map(({ scale }) => scale) : null,
        ...{ rateFactor: this.#rateFactor, sparsityFactor: this.#sparsityFactor },
      },
      tensors: new Map(),
    };
    const members: Record<string, Snapshot> = {};
    for (const member of this.members) members[member.name] = await member.state();
    const parts: Record<string, Snapshot> = { trainer: own, members: joinSnapshots(members) };
    if (isResumable(this.#stream)) parts.stream = await this.#stream.state();
    return joinSnapshots(parts);
  }

  /** Goes back to a state, so that training goes on bit for bit as it would have. @throws TensorError if it belongs to other members or another stream. */
  async restore(state: Snapshot): Promise<void> {
    const { values } = partOf(state, "trainer");
    const scales = values.scales as readonly number[] | null | undefined;
    if (scales !== null && scales?.length !== this.#sites.length)
      throw new TensorError(`Expected the state of ${this.#sites.length} sites but found that of ${scales?.length ?? "none"}`);
    const members = partOf(state, "members");
    const parts = this.members.map((member) => [member, partOf(members, member.name)] as const);
    if ("stream" in state.values) {
      if (!isResumable(this.#stream)) throw new TensorError("Expected a stream that can be resumed but found one without restore()");
      await this.#stream.restore(partOf(state, "stream"));
    }
    for (const [member, part] of parts) member.restore(part);
    this.#step = Number(values.step);
    this.#rows = Number(values.rows);
    this.#withDead = Boolean(values.withDead);
    this.rateFactor = Number(values.rateFactor ?? 1);
    this.sparsityFactor = Number(values.sparsityFactor ?? 1);
    this.#isInitialized = scales !== null;
    for (const [i, site] of this.#sites.entries()) site.scale = scales?.[i] ?? 1;
  }

  /** Frees the memory of the captured steps; the autoencoders stay. */
  destroy(): void {
    for (const step of Object.values(this.#steps)) step.destroy();
  }

  /** The step as captured: all members, one after another. */
  #trainStep(activations: readonly Tensor[], input: { sparsityScale: Tensor; withDead: boolean }): StepResult {
    const scaled = new Map(this.#sites.map((site, i) => [site, site.scaled(activations[i]!)]));
    return {
      variances: [...scaled.values()].map(totalVariance),
      members: this.members.map((member) => member.step(scaled.get(this.#siteOf(member))!, input)),
    };
  }

  #member(name: string): TrainedMember {
    const member = this.members.find((m) => m.name === name);
    if (!member) throw new TensorError(`Expected one of ${this.members.map((m) => m.name).join(", ")} but found '${name}'`);
    return member;
  }

  #siteOf(member: TrainedMember): TrainedSite {
    return this.#sites.find(({ members }) => members.includes(member))!;
  }

  /** Submits a step; its results are read later. */
  async #take(batch: readonly ActivationBatch[]): Promise<Pick<Waiting, "result" | "report">> {
    const { totalSteps, schedule, sparsityWarmupSteps } = this.#options;
    const factor = rateFactor(this.#step, totalSteps, schedule) * this.#rateFactor;
    for (const { optimizer } of this.members) optimizer.lr = optimizer.initialLr * factor;
    const sparsityScale = warmupFactor(this.#step, sparsityWarmupSteps) * this.#sparsityFactor;
    const result = await this.#steps[`${this.#withDead}`](scalar(sparsityScale), ...batch);
    this.#step++;
    this.#rows += batch[0]!.shape[0]!;
    return { result, report: { step: this.#step, rows: this.#rows, lr: this.members[0]!.optimizer.lr, sparsityScale } };
  }

  async #read({ result, batchRows, resampled }: Waiting): Promise<MemberReport[]> {
    const variances = new Map<TrainedSite, number>();
    for (const [i, site] of this.#sites.entries()) variances.set(site, await result.variances[i]!.item());
    const reports: MemberReport[] = [];
    for (const [i, member] of this.members.entries()) {
      const { name } = member;
      const { loss, losses, fired, dead, gradNorm } = result.members[i]!;
      const values: Record<string, number> = {};
      for (const [term, value] of Object.entries(losses)) values[term] = await value.item();
      reports.push({
        name,
        loss: await loss.item(),
        losses: values,
        l0: (await fired.item()) / batchRows,
        fve: 1 - values.l2! / variances.get(this.#siteOf(member))!,
        dead: await dead.item(),
        ...(gradNorm && { gradNorm: await gradNorm.item() }),
        ...(resampled.has(name) && { resampled: resampled.get(name)! }),
      });
    }
    return reports;
  }

  /** The next batch, a part for each site. */
  async #next(): Promise<readonly ActivationBatch[] | undefined> {
    const { value, done } = await this.#stream.next();
    if (done) return undefined;
    const parts = this.#sites.map((site) => site.of(value as StreamBatch));
    const uneven = parts.find(({ shape }) => shape[0] !== parts[0]!.shape[0]);
    if (uneven)
      throw new TensorError(`Expected batches of as many rows at every site but found ${parts[0]!.shape[0]} and ${uneven.shape[0]}`);
    return parts;
  }

  /** Scale and b_dec from the head of the stream, before the first step. */
  async #initialize(): Promise<void> {
    const { activationScale, bDecInit } = this.#options;
    if (this.#isInitialized) return;
    this.#isInitialized = true;
    if (activationScale === "none" && bDecInit === "zero") return;
    const drawn = await this.#draw(this.#options.initRows);
    for (const [i, site] of this.#sites.entries()) site.initialize(drawn[i]!);
  }

  /** The next batches of the stream in main memory, each site's: `count` rows or a little more, by default 8 batches. */
  async #draw(count: number | undefined): Promise<Float32Array[]> {
    const parts: Float32Array[][] = this.#sites.map(() => []);
    let rows = 0;
    for (let i = 0; count === undefined ? i < 8 : rows < count; i++) {
      const batch = await this.#next();
      if (!batch) break;
      for (const [site, part] of batch.entries())
        parts[site]!.push(part instanceof Tensor ? ((await part.data()) as Float32Array) : (part.data as Float32Array));
      rows += batch[0]!.shape[0]!;
    }
    if (rows === 0) throw new TensorError("Expected rows to start from but found a stream that has ended");
    return parts.map(concatenate);
  }

  async #anyDead(): Promise<boolean> {
    for (const { sae, activity } of this.members) {
      if (sae.looksAfterDead && (await activity.dead(this.#options.deadAfterRows).any().item())) return true;
    }
    return false;
  }

  /** New weights for dead latents, at the steps that are set for it. */
  async #resample(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    const { resample, deadAfterRows, seed } = this.#options;
    if (!resample?.atSteps.includes(this.#step)) return counts;
    const drawn = await this.#draw(resample.rows);
    for (const [s, { dIn, scale, members }] of this.#sites.entries()) {
      const rows = drawn[s]!.map((v) => Math.fround(v * scale));
      for (const [i, member] of members.entries()) {
        const dead = await member.activity.dead(resample.afterRows ?? deadAfterRows).data();
        const candidates: Candidates = { rows, losses: await this.#lossesOf(member.sae, rows, dIn) };
        const rng = createRng(seed, "resample", this.#step, i); // by its place at its site: what it would draw with that site alone
        const changed = await resampleLatents(member.sae, { dead, candidates, rng, encoderScale: resample.encoderScale });
        if (changed > 0) member.revive(firstFlags(dead, changed));
        counts.set(member.name, changed);
      }
    }
    return counts;
  }

  /** ‖x̂ − x‖² of every row, in pieces. */
  async #lossesOf(sae: SparseAutoencoder, rows: Float32Array, dIn: number): Promise<Float32Array> {
    const parts: Float32Array[] = [];
    const piece = PIECE_ROWS * dIn;
    for (let start = 0; start < rows.length; start += piece) {
      const data = rows.slice(start, start + piece);
      const x = fromHost({ shape: [data.length / dIn, dIn], dtype: "f32", data }, { device: this.#device });
      const losses = noGrad(() => sae.decode(sae.encode(x)).sub(x).square().sum({ axis: 1 }));
      parts.push((await losses.data()) as Float32Array);
    }
    return concatenate(parts);
  }
}

const PIECE_ROWS = 8192;

function checkFactor(of: string, factor: number): number {
  if (factor >= 0 && factor < Number.POSITIVE_INFINITY) return factor;
  throw new TensorError(`Expected a factor of the ${of} of at least 0 but found ${factor}`);
}

function scalar(value: number): HostTensor {
  return { shape: [], dtype: "f32", data: Float32Array.of(value) };
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The flags with all but the first `count` that are set taken away. */
function firstFlags(flags: ArrayLike<number>, count: number): Uint8Array {
  let left = count;
  return Uint8Array.from(flags, (flag) => (flag && left-- > 0 ? 1 : 0));
}
