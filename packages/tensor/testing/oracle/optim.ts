/** Oracles of one step of each optimizer, as PyTorch documents them, and of clipping gradients by their norm. */
import { map, type Nd, nd, zip } from "../nd.ts";

/** One parameter before or after a step. */
export interface SgdState {
  parameter: Nd;
  /** The running gradient; none before the first step. */
  momentum?: Nd | undefined;
}

/** v ← momentum · v + (1 − dampening) · g (g itself at first), p ← p − lr · v; with Nesterov p ← p − lr · (g + momentum · v). */
export function sgdStep(
  { parameter, momentum: velocity }: SgdState,
  gradient: Nd,
  {
    lr,
    momentum = 0,
    dampening = 0,
    nesterov = false,
    weightDecay = 0,
  }: { lr: number; momentum?: number; dampening?: number; nesterov?: boolean; weightDecay?: number },
): SgdState {
  const g = zip(gradient, parameter, (gi, pi) => gi + weightDecay * pi);
  if (momentum === 0) return { parameter: zip(parameter, g, (pi, gi) => pi - lr * gi) };
  const v = velocity === undefined ? g : zip(velocity, g, (vi, gi) => momentum * vi + (1 - dampening) * gi);
  const update = nesterov ? zip(g, v, (gi, vi) => gi + momentum * vi) : v;
  return { parameter: zip(parameter, update, (pi, ui) => pi - lr * ui), momentum: v };
}

/** One parameter before or after a step of Adam. */
export interface AdamState {
  parameter: Nd;
  /** Running mean of the gradient: zeros before the first step. */
  mean: Nd;
  /** Running mean of its square: zeros before the first step. */
  meanSquare: Nd;
  /** How many steps were made. */
  step: number;
}

/** Settings of {@linkcode adamStep}. */
export interface AdamOptions {
  lr: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
  /** AdamW: the decay shrinks the parameter itself (Loshchilov and Hutter, arXiv 1711.05101) instead of joining the gradient. */
  decoupled?: boolean;
}

/** A parameter that has made no step. */
export function adamStart(parameter: Nd): AdamState {
  return { parameter, mean: nd(parameter.shape), meanSquare: nd(parameter.shape), step: 0 };
}

/** Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1) and, decoupled, AdamW. */
export function adamStep(
  state: AdamState,
  gradient: Nd,
  { lr, betas: [beta1, beta2] = [0.9, 0.999], eps = 1e-8, weightDecay = 0, decoupled = false }: AdamOptions,
): AdamState {
  const step = state.step + 1;
  const g = decoupled ? gradient : zip(gradient, state.parameter, (gi, pi) => gi + weightDecay * pi);
  const decayed = decoupled ? map(state.parameter, (pi) => pi * (1 - lr * weightDecay)) : state.parameter;
  const mean = zip(state.mean, g, (mi, gi) => beta1 * mi + (1 - beta1) * gi);
  const meanSquare = zip(state.meanSquare, g, (vi, gi) => beta2 * vi + (1 - beta2) * gi * gi);
  const update = zip(mean, meanSquare, (mi, vi) => mi / (1 - beta1 ** step) / (Math.sqrt(vi / (1 - beta2 ** step)) + eps));
  return { parameter: zip(decayed, update, (pi, ui) => pi - lr * ui), mean, meanSquare, step };
}

/** All gradients scaled down together so that their common 2-norm is at most `maxNorm`. Also gives the norm they had. */
export function clipGradNorm(gradients: readonly Nd[], maxNorm: number): { gradients: Nd[]; norm: number } {
  const norm = Math.sqrt(gradients.reduce((sum, { data }) => sum + data.reduce((s, v) => s + v * v, 0), 0));
  const factor = Math.min(1, maxNorm / (norm + 1e-6)); // PyTorch's guard against division by zero
  return { gradients: gradients.map((g) => map(g, (v) => v * factor)), norm };
}
