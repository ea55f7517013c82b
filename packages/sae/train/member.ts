import { type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import type { SaeOutput, SparseAutoencoder, StepInput } from "../sae.ts";
import type { Snapshot } from "../snapshot.ts";
import { firingsOf, LatentActivity } from "./activity.ts";
import type { ResolvedOptions, SaeMember } from "./options.ts";
import { flagsTensor } from "./resample.ts";
import { SaeAdam } from "./sae_adam.ts";

/** What a member's step gives, as tensors of one element. */
export type MemberStep = {
  readonly loss: Tensor;
  readonly losses: Readonly<Record<string, Tensor>>;
  /** Features above 0, in all rows. */
  readonly fired: Tensor;
  /** Latents that count as dead after the step. */
  readonly dead: Tensor;
  /** Of the gradients before clipping, where they are clipped. */
  readonly gradNorm?: Tensor;
};

/** What a member needs to know for a step. */
export interface MemberInput {
  readonly sparsityScale: Tensor;
  /** Whether losses for dead latents are computed. */
  readonly withDead: boolean;
}

/** An autoencoder in training: its optimizer, and which of its latents fire. */
export class TrainedMember {
  readonly name: string;
  readonly site: string | undefined;
  readonly sae: SparseAutoencoder;
  readonly optimizer: SaeAdam;
  readonly activity: LatentActivity;
  readonly #options: ResolvedOptions;

  constructor({ name, site, sae, lr }: SaeMember, options: ResolvedOptions) {
    const { betas, eps, maxGradNorm } = options;
    this.name = name;
    this.site = site;
    this.sae = sae;
    this.#options = options;
    this.optimizer = new SaeAdam(sae, { lr: lr ?? options.lr, betas, eps, maxGradNorm });
    this.activity = new LatentActivity(sae.config.dSae, { device: sae.W_dec.device });
  }

  /** One step on a batch `[B, D]`, in chunks whose losses, and so gradients, add up to the batch's. */
  step(x: Tensor, { sparsityScale, withDead }: MemberInput): MemberStep {
    const { sae, optimizer, activity } = this;
    const { deadAfterRows, maxGradNorm, chunkRows } = this.#options;
    const rows = x.shape[0]!;
    const input: StepInput = { rows, sparsityScale, ...(withDead && { dead: activity.dead(deadAfterRows) }) };
    optimizer.zeroGrad();
    const chunks: ChunkStep[] = [];
    for (let start = 0; start < rows; start += chunkRows ?? rows) {
      const length = Math.min(chunkRows ?? rows, rows - start);
      const output = sae.forward(length === rows ? x : x.narrow(0, { start, length }), input);
      output.loss.backward();
      chunks.push(summaryOf(output));
    }
    optimizer.step();
    sae.afterStep(chunks);
    const { loss, losses, firings } = noGrad(() => chunks.reduce(sumOf));
    activity.update(firings, rows);
    return noGrad(() => ({
      loss,
      losses,
      fired: firings.sum(),
      dead: activity.dead(deadAfterRows).countNonzero(),
      ...(maxGradNorm !== undefined && { gradNorm: optimizer.gradNorm }),
    }));
  }

  /** Forgets that some latents, one flag each, were dead: fresh moments, and as long to fire as all. */
  revive(latents: ArrayLike<number>): void {
    const flags = flagsTensor(latents);
    this.optimizer.resetLatents(flags);
    this.activity.revive(flags);
  }

  async state(): Promise<Snapshot> {
    const { stepCount, lr, moments } = await this.optimizer.stateDict();
    const tensors = new Map<string, HostTensor>();
    for (const [name, host] of await this.sae.stateDict()) tensors.set(`sae.${name}`, host);
    for (const [name, host] of moments) tensors.set(`adam.${name}`, host);
    const { silentRows } = this.activity;
    tensors.set("silentRows", { shape: silentRows.shape, dtype: "i32", data: await silentRows.data() });
    return { values: { stepCount, lr, architecture: this.sae.architecture }, tensors };
  }

  restore({ values, tensors }: Snapshot): void {
    const under = (prefix: string): Map<string, HostTensor> =>
      new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, host]) => [name.slice(prefix.length), host]));
    this.sae.loadStateDict(under("sae."));
    this.optimizer.loadStateDict({ stepCount: Number(values.stepCount), lr: Number(values.lr), moments: under("adam.") });
    this.activity.load(tensors.get("silentRows")!);
  }
}

/** What is kept of a chunk once its gradients are there. */
type ChunkStep = Pick<SaeOutput, "loss" | "losses" | "threshold"> & { readonly firings: Tensor };

function summaryOf({ loss, losses, features, firings, threshold }: SaeOutput): ChunkStep {
  const detached = Object.fromEntries(Object.entries(losses).map(([name, term]) => [name, term.detach()]));
  return { loss: loss.detach(), losses: detached, firings: firings ?? firingsOf(features), ...(threshold && { threshold }) };
}

function sumOf(a: ChunkStep, b: ChunkStep): ChunkStep {
  const losses = Object.fromEntries(Object.entries(a.losses).map(([name, term]) => [name, term.add(b.losses[name]!)]));
  return { loss: a.loss.add(b.loss), losses, firings: a.firings.add(b.firings) };
}
