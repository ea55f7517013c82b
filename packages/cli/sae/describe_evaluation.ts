import type { Estimate, SaeEvaluation, Stability, TargetsEffect, VariantEffect } from "@cursive/sae";
import { table } from "../terminal/table.ts";

/** An evaluation of an autoencoder as text for people. */
export function describeSaeEvaluation(evaluation: SaeEvaluation, { against }: { readonly against: Stability | null }): string {
  const sections = [
    describeReconstruction(evaluation),
    describeEffect(evaluation),
    describeLatents(evaluation),
    ...(against ? [describeStability(against)] : []),
    ...(evaluation.notebook ? [describeNotebook(evaluation.notebook)] : []),
  ];
  return `\n${sections.join("\n\n")}`;
}

function describeReconstruction({ reconstruction: found }: SaeEvaluation): string {
  const { rows, sequences, norm } = found;
  return table([
    [`activations at ${count(rows)} places of ${count(sequences)} sequences`, "", ""],
    ["variance explained", figure(found.fve), "0 for predicting their mean, 1 for themselves"],
    [
      "squared error a row",
      figure(found.mse),
      `rows have a norm of ${norm.input.toPrecision(3)}, reconstructions of ${norm.output.toPrecision(3)}`,
    ],
    ["features a row (L0)", figure(found.l0), "above 0"],
    ["their sum (L1)", figure(found.l1), ""],
    ["cosine", figure(found.cosine), "of an activation and its reconstruction"],
    ["relative bias", figure(found.relativeBias), "below 1 where reconstructions shrink"],
  ]);
}

function describeEffect({ effect: { all, real } }: SaeEvaluation): string {
  const row = (label: string, of: (effect: TargetsEffect) => string): string[] => [label, of(real), of(all)];
  const variant = (label: string, name: "sae" | "zero" | "mean"): string[][] => [
    row(label, (effect) => figure(effect[name].ce)),
    row("  more than as it is", (effect) => figure(effect[name].deltaCe)),
    row("  KL divergence", (effect) => figure((effect[name] satisfies VariantEffect).kl)),
  ];
  const recovered = (name: "zero" | "mean"): string[][] => [
    row(`recovered of what ${name === "zero" ? "zeros destroy" : "the mean destroys"}`, ({ recovered: { [name]: of } }) =>
      of.isIllConditioned ? "destroys too little" : percent(of.ce),
    ),
    row("  of the KL divergence", ({ recovered: { [name]: of } }) => (of.isKlIllConditioned ? "destroys too little" : percent(of.kl))),
  ];
  return table([
    ["the model's loss in nats a target", "without padding", "all targets"],
    row("as it is", ({ ce }) => figure(ce)),
    ...variant("with reconstructions", "sae"),
    ...variant("with zeros", "zero"),
    ...variant("with the mean activation", "mean"),
    ...recovered("zero"),
    ...recovered("mean"),
  ]);
}

function describeLatents({ activity, geometry }: SaeEvaluation): string {
  const { density, dead, alive, resolvable, rows, dense, histogram } = activity;
  const most = Math.max(1, ...histogram.counts);
  const bars = histogram.counts.map((n) => (n === 0 ? "·" : "▁▂▃▄▅▆▇█"[Math.ceil((n / most) * 8) - 1]!)).join("");
  const share = ({ latents, shareOfFirings }: { latents: number; shareOfFirings: number }): string =>
    `${count(latents)}, with ${(100 * shareOfFirings).toFixed(0)}% of all firings`;
  const { nearestDecoder, encoderDecoderCosine } = geometry;
  return table(
    [
      [`${count(density.length)} latents`, ""],
      ["never fire", `${count(dead)}; on ${count(rows)} rows a density below ${resolvable.toExponential(1)} does not show`],
      ["on more than 0.001% of rows", count(alive)],
      ["on more than 1% of rows", share(dense.over1Percent)],
      ["on more than 10% of rows", share(dense.over10Percent)],
      ["by density", `10^${histogram.edges[0]} ${bars} 1`],
      [
        "cosine to the nearest latent",
        `${mean(nearestDecoder.cosine).toFixed(3)} on average, ${nearestDecoder.cosine.reduce((a, b) => Math.max(a, b)).toFixed(3)} at most`,
      ],
      ["cosine of encoder and decoder", `${mean(encoderDecoderCosine).toFixed(3)} on average`],
    ].map(([label, text]) => [label!, ` ${text}`]),
  );
}

function describeStability({ mmcs, found }: Stability): string {
  return table([
    ["latents that fire found again", "mean greatest cosine", "with 0.9 or more"],
    ["these in the other", mmcs.aInB.toFixed(3), `${(100 * found.aInB).toFixed(0)}%`],
    ["the other's in these", mmcs.bInA.toFixed(3), `${(100 * found.bInA).toFixed(0)}%`],
  ]);
}

function describeNotebook({ get_recons_loss, get_freqs }: NonNullable<SaeEvaluation["notebook"]>): string {
  const { loss, recons_loss, zero_abl_loss, score } = get_recons_loss;
  return [
    "as the notebook counts, padding included and zeros for a baseline",
    `get_recons_loss  loss: ${loss.toFixed(4)}, recons_loss: ${recons_loss.toFixed(4)}, zero_abl_loss: ${zero_abl_loss.toFixed(4)}, score: ${(100 * score).toFixed(2)}%`,
    `get_freqs        Num dead ${get_freqs.frac_dead.toFixed(4)} (a share)`,
  ].join("\n");
}

function figure({ value, standardError }: Estimate): string {
  const digits = Math.abs(value) >= 100 ? 1 : 3;
  return `${value.toFixed(digits)} ± ${Number.isNaN(standardError) ? "?" : standardError.toFixed(digits)}`;
}

function percent({ value, standardError }: Estimate): string {
  return `${(100 * value).toFixed(1)} ± ${Number.isNaN(standardError) ? "?" : (100 * standardError).toFixed(1)} %`;
}

function count(n: number): string {
  return n.toLocaleString("en");
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
