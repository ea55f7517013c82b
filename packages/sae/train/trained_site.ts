import { type Device, type HostTensor, noGrad, Tensor, TensorError, tensor } from "@cursive/tensor";
import type { ActivationBatch, StreamBatch } from "../data/stream_batch.ts";
import { geometricMedian, meanNorm, meanRow } from "./center.ts";
import type { TrainedMember } from "./member.ts";
import type { ResolvedOptions, SaeMember } from "./options.ts";

/** The activations of one site, which some of a trainer's members take, at a scale of their own. */
export class TrainedSite {
  /** Undefined where the stream has one site alone. */
  readonly name: string | undefined;
  /** D */
  readonly dIn: number;
  readonly members: readonly TrainedMember[];
  readonly #isScaled: boolean;
  readonly #bDecInit: ResolvedOptions["bDecInit"];
  /** `[]`: what activations are multiplied with. */
  readonly #scaleTensor: Tensor;
  #scale = 1;

  constructor(
    members: readonly TrainedMember[],
    { activationScale, bDecInit, device }: Pick<ResolvedOptions, "activationScale" | "bDecInit"> & { readonly device: Device },
  ) {
    this.members = members;
    this.name = members[0]!.site;
    this.dIn = members[0]!.sae.config.dIn;
    this.#isScaled = activationScale === "sqrt-width";
    this.#bDecInit = bDecInit;
    this.#scaleTensor = tensor(1, { device });
  }

  /** What activations are multiplied with before training. */
  get scale(): number {
    return this.#scale;
  }

  set scale(scale: number) {
    this.#scale = scale;
    this.#scaleTensor.fill(scale);
  }

  /** Activations `[B, D]` in the scale trained at. */
  scaled(x: Tensor): Tensor {
    return this.#isScaled ? x.mul(this.#scaleTensor) : x;
  }

  /** Takes scale and b_dec from the first rows `[N, D]`. */
  initialize(rows: Float32Array): void {
    const { dIn } = this;
    if (this.#isScaled) this.scale = Math.fround(Math.sqrt(dIn) / meanNorm(rows, dIn));
    if (this.#bDecInit === "zero") return;
    const center = this.#bDecInit === "mean" ? meanRow(rows, dIn) : geometricMedian(rows, dIn);
    const data = Float32Array.from(center, (v) => v * this.scale);
    for (const { sae } of this.members) sae.b_dec.load({ shape: [dIn], dtype: "f32", data });
  }

  /** This site's part of a batch. @throws TensorError unless it is there, `[B, D]`. */
  of(batch: StreamBatch): ActivationBatch {
    const { name, dIn } = this;
    const isAlone = isActivations(batch);
    if (isAlone !== (name === undefined))
      throw new TensorError(
        isAlone
          ? `Expected batches of sites by name, '${name}' among them, from the stream but found activations of one`
          : `Expected batches [B, ${dIn}] from the stream but found sites by name: say with each member's site which it takes`,
      );
    const found = isAlone ? batch : batch[name!];
    if (!found)
      throw new TensorError(`Expected batches of '${name}' from the stream but found those of ${Object.keys(batch).join(", ") || "none"}`);
    if (found.shape.length !== 2 || found.shape[1] !== dIn)
      throw new TensorError(
        `Expected batches [B, ${dIn}] ${name === undefined ? "" : `of '${name}' `}from the stream but found [${found.shape.join(", ")}]`,
      );
    return found;
  }
}

/** Mean over rows of ‖x − x̄‖², `[]`. */
export function totalVariance(x: Tensor): Tensor {
  return noGrad(() => x.var({ axis: 0, correction: 0 }).sum());
}

/** The sites that members take their activations from, in the order of their first ones. */
export function sitesOf(members: readonly TrainedMember[], options: ConstructorParameters<typeof TrainedSite>[1]): TrainedSite[] {
  const names = [...new Set(members.map(({ site }) => site))];
  return names.map(
    (name) =>
      new TrainedSite(
        members.filter(({ site }) => site === name),
        options,
      ),
  );
}

/** @throws TensorError for members of one name, of different widths at one site, or of which only some say at which. */
export function checkMembers(members: readonly SaeMember[]): void {
  const [first] = members;
  if (!first) throw new TensorError("Expected at least one autoencoder to train but found none");
  const names = new Set<string>();
  const widths = new Map<string | undefined, number>();
  for (const { name, sae, site } of members) {
    if (names.has(name) || name.includes("/") || name === "")
      throw new TensorError(`Expected names that differ, are not empty and have no slash but found '${name}'`);
    names.add(name);
    if ((site === undefined) !== (first.site === undefined))
      throw new TensorError(`Expected a site for each member or for none but found '${site ?? first.site}' and a member without`);
    const width = widths.get(site) ?? sae.config.dIn;
    widths.set(site, width);
    if (width !== sae.config.dIn)
      throw new TensorError(
        `Expected members of one width${site === undefined ? "" : ` at ${site}`} but found dIn ${width} and ${sae.config.dIn}`,
      );
  }
}

function isActivations(batch: StreamBatch): batch is ActivationBatch {
  return batch instanceof Tensor || ("shape" in batch && "dtype" in batch && "data" in (batch as HostTensor));
}
