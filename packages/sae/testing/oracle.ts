/**
 * Losses of every architecture in float64, written from the papers' formulas. What a step treats as given (which latents fire, which dead
 * ones help out, what they are to explain, a frozen decoder) is computed once by {@link decide} and then held, so that what remains is
 * smooth and its derivative is the gradient that training should use.
 */
import { map, mapRows, type Nd, nd, oracle, zip } from "@cursive/tensor/testing";
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

const { matmul, relu } = oracle;
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

/** 1 for the k greatest above 0 of a row, the first of equal ones. */
function greatest(row: ArrayLike<number>, k: number, above: number): Float64Array {
  const places = Array.from({ length: row.length }, (_, i) => i).filter((i) => row[i]! > above);
  const first = new Set(places.toSorted((a, b) => row[b]! - row[a]! || a - b).slice(0, k));
  return Float64Array.from({ length: row.length }, (_, i) => Number(first.has(i)));
}

function firing(config: FullConfig, params: Params, x: Nd): Nd {
  const z = preActivations(config, params, x);
  const [rows, dSae] = z.shape as [number, number];
  if (config.architecture === "topk") return mapRows(z, 1, (row) => greatest(row, config.k as number, 0));
  if (config.architecture === "batchtopk" || config.architecture === "matryoshka") {
    const together = (config.selectionRows as number) || rows;
    const groups = nd([rows / together, together * dSae], z.data);
    const count = Math.max(1, Math.floor((config.k as number) * together));
    return nd(z.shape, mapRows(groups, 1, (row) => greatest(row, count, 0)).data);
  }
  if (config.architecture === "jumprelu") return zip(z, params.threshold!, (v, theta) => Number(v > theta));
  return map(z, (v) => Number(v > 0));
}

/** What a step at these parameters treats as given. */
export function decide(config: FullConfig, params: Params, { x, dead }: { readonly x: Nd; readonly dead?: Nd }): Decisions {
  const fires = firing(config, params, x);
  const without: Decisions = { fires, dead: undefined, helps: undefined, residual: x, frozen: params };
  const { reconstruction } = lossesOf(config, params, { x, decisions: without });
  const helps =
    dead &&
    mapRows(preActivations(config, params, x), 1, (row) =>
      greatest(
        Float64Array.from(row, (v, f) => (dead.data[f] ? v : Number.NEGATIVE_INFINITY)),
        config.kAux as number,
        Number.NEGATIVE_INFINITY,
      ),
    );
  return { fires, dead, helps, residual: sub(x, reconstruction), frozen: params };
}

/** Features, x̂ and the loss terms. */
export function lossesOf(
  config: FullConfig,
  params: Params,
  { x, decisions }: { readonly x: Nd; readonly decisions: Decisions },
): OracleOutput {
  const rows = x.shape[0]!;
  const { fires, dead } = decisions;
  const { W_dec, b_dec } = params as { W_dec: Nd; b_dec: Nd };
  const z = preActivations(config, params, x);
  const magnitude =
    config.architecture === "gated" ? relu(add(mul(projected(config, params, x), oracle.exp(params.r_mag!)), params.b_mag!)) : z;
  const features = mul(magnitude, fires);
  const reconstruction = add(matmul(features, W_dec), b_dec);
  const l2 = squares(sub(reconstruction, x)) / rows;
  const losses: Record<string, number> = { l2 };
  const lambda = config.l1Coefficient as number;
  if (config.architecture === "standard") {
    const weighted = config.l1Weight === "none" ? features : mul(features, norms(W_dec));
    losses.l1 = lambda * total(weighted) * (config.l1Reduction === "sum" ? 1 : 1 / rows);
  }
  if (config.architecture === "gated") {
    const open = relu(z);
    losses.l1 = (lambda * total(config.decoderConstraint === "none" ? mul(open, norms(W_dec)) : open)) / rows;
    const { W_dec: frozenW, b_dec: frozenB } = decisions.frozen as { W_dec: Nd; b_dec: Nd };
    losses.aux = squares(sub(add(matmul(open, frozenW), frozenB), x)) / rows;
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
      const missing = mul(relu(sub(params.threshold!, z)), mul(norms(W_dec), dead));
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
  const z = preActivations(config, params, x);
  const gradient = nd([dSae]);
  for (let b = 0; b < rows; b++) {
    for (let f = 0; f < dSae; f++) {
      const at = b * dSae + f;
      const theta = threshold.data[f]!;
      if (Math.abs(z.data[at]! - theta) >= bandwidth / 2) continue;
      const slope = scales.data[f]!;
      const ofTanh = config.sparsity === "tanh" ? lambda * slope * (1 - Math.tanh(slope * features.data[at]!) ** 2) : 0;
      gradient.data[f]! -= (theta / bandwidth) * (byFeature.data[at]! + ofTanh);
      if (config.sparsity === "step") gradient.data[f]! -= lambda / bandwidth;
    }
  }
  return gradient;
}
