/** Oracles of the losses. */
import { type Nd, nd, scalar, zip } from "../nd.ts";
import { logSoftmax } from "./normalize.ts";
import { mean, sum } from "./reduce.ts";

/** What becomes of the losses of all places. */
export type Reduction = "mean" | "sum" | "none";

/**
 * −log softmax(logits)[target]. Logits `[..., C]`, targets `[...]`. Places whose target is `ignoreIndex` cost nothing and do not count
 * in the mean; with none left the mean is NaN.
 */
export function crossEntropy(
  logits: Nd,
  targets: Nd,
  { ignoreIndex = -100, reduction = "mean" }: { ignoreIndex?: number; reduction?: Reduction } = {},
): Nd {
  const classes = logits.shape.at(-1)!;
  const logProbabilities = logSoftmax(logits).data;
  const counted = targets.data.filter((target) => target !== ignoreIndex).length;
  const losses = nd(
    targets.shape,
    targets.data.map((target, place) => (target === ignoreIndex ? 0 : -logProbabilities[place * classes + target]!)),
  );
  if (reduction === "none") return losses;
  return reduction === "sum" ? sum(losses) : scalar(sum(losses).data[0]! / counted);
}

/** (x − target)². */
export function mseLoss(x: Nd, target: Nd, { reduction = "mean" }: { reduction?: Reduction } = {}): Nd {
  const losses = zip(x, target, (a, b) => (a - b) ** 2);
  return reduction === "none" ? losses : reduction === "sum" ? sum(losses) : mean(losses);
}
