/**
 * Losses of every architecture in float64, written from the papers' formulas. What a step treats as given (which latents fire, which dead
 * ones help out, what they are to explain, a frozen decoder) is computed once by {@link decide} and then held, so that what remains is
 * smooth and its derivative is the gradient that training should use. Only a decoder row's norm has a kink left, at 0.
 */
import { dotBound, map, mapRows, type Nd, nd, oracle, zip } from "@cursive/tensor/testing";
import type { SaeConfig } from "../create_sae.ts";
import type { SaeCommonConfig } from "../sae.ts";

/** Parameters by name. */
export type Params = Readonly<Record<string, Nd>>;

/** A resolved configuration: every default filled in. */
export type FullConfig = Required<SaeCommonConfig> & { readonly architecture: SaeConfig["architecture"] } & Readonly<
    Record<string, unknown>
  >;

/** What a step treats as given. */
export interface Decisions {
  /** 1 where a latent fires, `[B, F]`. */
  readonly fires: Nd;
  /** 1 where a gated autoencoder's gate is open, whatever the magnitude; `fires` of the others. */
  readonly open: Nd;
  /** 1 for dead latents, `[F]`. */
  readonly dead: Nd | undefined;
  /** 1 where a dead latent helps out. */
  readonly helps: Nd | undefined;
  readonly residual: Nd;
  readonly frozen: Params;
}

/** What {@link lossesOf} gives. */
export interface OracleOutput {
  readonly losses: Readonly<Record<string, number>>;
  readonly features: Nd;
  readonly reconstruction: Nd;
}

const { abs, matmul } = oracle;
const add = (a: Nd, b: Nd): Nd => zip(a, b, (p, q) => p + q);
const sub = (a: Nd, b: Nd): Nd => zip(a, b, (p, q) => p - q);
const mul = (a: Nd, b: Nd): Nd => zip(a, b, (p, q) => p * q);
const total = (x: Nd): number => x.data.reduce((sum, v) => sum + v, 0);
const squares = (x: Nd): number => total(mul(x, x));
const norms = (W_dec: Nd): Nd => oracle.norm(W_dec, { axis: 1 });

/** (x − b_dec)·W_enc, `[B, F]`. */
function projected({ applyBDecToInput }: FullConfig, { W_enc, b_dec }: Params, x: Nd): Nd {
  return matmul(applyBDecToInput ? sub(x, b_dec!) : x, W_enc!);
}

/** Before the activation function; of a gated autoencoder the gate's π. */
export function preActivations(config: FullConfig, params: Params, x: Nd): Nd {
  return add(projected(config, params, x), config.architecture === "gated" ? params.b_gate! : params.b_enc!);
}

/** How much a gated autoencoder's latents fire where the gate is open, before ReLU. */
function magnitudes(config: FullConfig, params: Params, x: Nd): Nd {
  return add(mul(projected(config, params, x), oracle.exp(params.r_mag!)), params.b_mag!);
}

/** 1 for the k greatest above 0 of a row, the first of equal ones. */
function greatest(row: ArrayLike<number>, k: number, above: number): Float64Array {
  const places = Array.from({ length: row.length }, (_, i) => i).filter((i) => row[i]! > above);
  const first = new Set(places.toSorted((a, b) => row[b]! - row[a]! || a - b).slice(0, k));
  return Float64Array.from({ length: row.length }, (_, i) => Number(first.has(i)));
}

/** 1 where a latent of these pre-activations fires; of a gated autoencoder where its gate is open. */
function opened(config: FullConfig, { threshold }: Params, z: Nd): Nd {
  const [rows, dSae] = z.shape as [number, number];
  if (config.architecture === "topk") return mapRows(z, 1, (row) => greatest(row, config.k as number, 0));
  if (config.architecture === "batchtopk" || config.architecture === "matryoshka") {
    const together = (config.selectionRows as number) || rows;
    const groups = nd([rows / together, together * dSae], z.data);
    const count = Math.max(1, Math.floor((config.k as number) * together));
    return nd(z.shape, mapRows(groups, 1, (row) => greatest(row, count, 0)).data);
  }
  if (config.architecture === "jumprelu") return zip(z, threshold!, (v, theta) => Number(v > theta));
  return isAbove(z);
}

const isAbove = (x: Nd): Nd => map(x, (v) => Number(v > 0));

/** 1 where a dead latent of these pre-activations helps out. */
function helping(config: FullConfig, dead: Nd, z: Nd): Nd {
  const candidates = zip(z, dead, (v, isDead) => (isDead ? v : Number.NEGATIVE_INFINITY));
  return mapRows(candidates, 1, (row) => greatest(row, config.kAux as number, Number.NEGATIVE_INFINITY));
}

/** 1 where a pre-activation is so near its threshold that the threshold gets a gradient. */
function nearThreshold(config: FullConfig, { threshold }: Params, z: Nd): Nd {
  return zip(z, threshold!, (v, theta) => Number(Math.abs(v - theta) < (config.bandwidth as number) / 2));
}

/** What decisions are about: activations, and which latents are dead. */
export interface Given {
  readonly x: Nd;
  /** 1 for dead latents, `[F]`. */
  readonly dead?: Nd;
}

/** What a step at these parameters treats as given. */
export function decide(config: FullConfig, params: Params, { x, dead }: Given): Decisions {
  const z = preActivations(config, params, x);
  const open = opened(config, params, z);
  const fires = config.architecture === "gated" ? mul(open, isAbove(magnitudes(config, params, x))) : open;
  const without: Decisions = { fires, open, dead: undefined, helps: undefined, residual: x, frozen: params };
  const { reconstruction } = lossesOf(config, params, { x, decisions: without });
  return { ...without, dead, helps: dead && helping(config, dead, z), residual: sub(x, reconstruction) };
}

/**
 * Whether f32 must decide as float64 does: no value is so near to where a decision changes (0, a threshold or the edge of its window, the
 * next of those that compete for places) that rounding can take it there. Worst for a decision is that all it took lose what rounding may
 * take, and all others gain as much.
 */
export function isCertain(config: FullConfig, params: Params, { x, dead }: Given): boolean {
  const { W_enc, b_dec, b_enc, b_gate, b_mag, r_mag, threshold } = params;
  const size = matmul(config.applyBDecToInput ? add(abs(x), abs(b_dec!)) : abs(x), abs(W_enc!)); // of a pre-activation's products
  const length = 2 * config.dIn + 3; // two dot products, their sum, the bias, and the difference from a threshold
  const shift = add(abs(b_enc ?? b_gate!), abs(threshold ?? nd([1])));
  const bound = dotBound(length, add(size, shift));
  const holds = (decision: (values: Nd) => Nd, values: Nd, bounds: Nd): boolean => {
    const taken = decision(values);
    const worst = add(
      values,
      zip(bounds, taken, (e, isTaken) => (isTaken ? -e : e)),
    );
    return decision(worst).data.every((v, i) => v === taken.data[i]);
  };
  const z = preActivations(config, params, x);
  if (!holds((values) => opened(config, params, values), z, bound)) return false;
  if (dead && "kAux" in config && !holds((values) => helping(config, dead, values), z, bound)) return false;
  if (config.architecture === "jumprelu") {
    // its window: how far within, which is what rounding takes from those inside and gives to those outside
    const within = zip(z, threshold!, (v, theta) => (config.bandwidth as number) / 2 - Math.abs(v - theta));
    if (!holds(isAbove, within, bound)) return false;
  }
  if (config.architecture === "gated") {
    // besides `exp`, off by at most 3 + 2|r| units in the last place, each two roundings (WGSL), a product and a sum
    const most = abs(r_mag!).data.reduce((a, b) => Math.max(a, b), 0);
    const sizes = add(mul(size, oracle.exp(r_mag!)), abs(b_mag!));
    if (!holds(isAbove, magnitudes(config, params, x), dotBound(length + 5 + 2 * most, sizes))) return false;
  }
  return true;
}

/** Features, x̂ and the loss terms. */
export function lossesOf(
  config: FullConfig,
  params: Params,
  { x, decisions }: { readonly x: Nd; readonly decisions: Decisions },
): OracleOutput {
  const rows = x.shape[0]!;
  const { fires, open, dead } = decisions;
  const { W_dec, b_dec } = params as { W_dec: Nd; b_dec: Nd };
  const z = preActivations(config, params, x);
  const features = mul(config.architecture === "gated" ? magnitudes(config, params, x) : z, fires);
  const reconstruction = add(matmul(features, W_dec), b_dec);
  const l2 = squares(sub(reconstruction, x)) / rows;
  const losses: Record<string, number> = { l2 };
  const lambda = config.l1Coefficient as number;
  if (config.architecture === "standard") {
    const weighted = config.l1Weight === "none" ? features : mul(features, norms(W_dec));
    losses.l1 = lambda * total(weighted) * (config.l1Reduction === "sum" ? 1 : 1 / rows);
  }
  if (config.architecture === "gated") {
    const gate = mul(z, open); // ReLU
    losses.l1 = (lambda * total(config.decoderConstraint === "none" ? mul(gate, norms(W_dec)) : gate)) / rows;
    const { W_dec: frozenW, b_dec: frozenB } = decisions.frozen as { W_dec: Nd; b_dec: Nd };
    losses.aux = squares(sub(add(matmul(gate, frozenW), frozenB), x)) / rows;
  }
  if (config.architecture === "jumprelu") {
    const active =
      config.sparsity === "tanh"
        ? total(
            oracle.tanh(
              mul(
                features,
                map(norms(W_dec), (n) => n * (config.tanhScale as number)),
              ),
            ),
          )
        : total(fires);
    losses.l0 = ((config.l0Coefficient as number) * active) / rows;
    if (dead && config.preActCoefficient) {
      const below = zip(sub(params.threshold!, z), fires, (gap, isFiring) => (isFiring ? 0 : gap)); // ReLU
      const missing = mul(below, mul(norms(W_dec), dead));
      losses.preAct = ((config.preActCoefficient as number) * total(missing)) / rows;
    }
  }
  if (config.architecture === "matryoshka") {
    const inner = (config.widths as number[]).slice(0, -1).map((m) => {
      const some = zip(
        features,
        nd(
          [features.shape[1]!],
          Float64Array.from({ length: features.shape[1]! }, (_, f) => Number(f < m)),
        ),
        (f, on) => f * on,
      );
      return squares(sub(add(matmul(some, W_dec), b_dec), x)) / rows;
    });
    losses.nested = inner.reduce((a, b) => a + b, 0);
  }
  if (decisions.helps && dead && config.auxCoefficient && config.architecture !== "gated") {
    const share = Math.min(1, total(dead) / (config.kAux as number));
    const explained = matmul(mul(z, decisions.helps), W_dec);
    losses.aux = ((config.auxCoefficient as number) * share * squares(sub(explained, decisions.residual))) / rows;
  }
  return { losses, features, reconstruction };
}

/**
 * The straight-through part of a JumpReLU's gradient by its thresholds (Rajamanoharan et al., eq. 11 and 12), which no derivative gives:
 * −(θ/ε) Σ_B K ∂loss/∂f, and for the step penalty −(λ/εB) Σ_B K besides.
 */
export function thresholdGradient(config: FullConfig, params: Params, x: Nd): Nd {
  const decisions = decide(config, params, { x });
  const { features, reconstruction } = lossesOf(config, params, { x, decisions });
  const [rows, dSae] = features.shape as [number, number];
  const { W_dec, threshold } = params as { W_dec: Nd; threshold: Nd };
  const bandwidth = config.bandwidth as number;
  const lambda = (config.l0Coefficient as number) / rows;
  const scales = map(norms(W_dec), (n) => n * (config.tanhScale as number));
  const byFeature = matmul(
    map(sub(reconstruction, x), (e) => (2 * e) / rows),
    oracle.transpose(W_dec, 0, 1),
  ); // (B, F)
  const near = nearThreshold(config, params, preActivations(config, params, x));
  const gradient = nd([dSae]);
  for (let b = 0; b < rows; b++) {
    for (let f = 0; f < dSae; f++) {
      const at = b * dSae + f;
      const theta = threshold.data[f]!;
      if (!near.data[at]) continue;
      const slope = scales.data[f]!;
      const ofTanh = config.sparsity === "tanh" ? lambda * slope * (1 - Math.tanh(slope * features.data[at]!) ** 2) : 0;
      gradient.data[f]! -= (theta / bandwidth) * (byFeature.data[at]! + ofTanh);
      if (config.sparsity === "step") gradient.data[f]! -= lambda / bandwidth;
    }
  }
  return gradient;
}
