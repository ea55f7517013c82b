import type { ComparedSae } from "./describe.ts";

/**
 * What a difference in configuration does, for people who wonder why the figures differ. The faults named are those of the notebook that
 * the preset `notebook` keeps; definitions and sources are in docs/sae.md.
 */
const reasons: Readonly<Record<string, string>> = {
  hook: "Other activations: reconstruction errors do not compare across hooks, losses added do.",
  architecture:
    "How features come to be few. An L1 penalty also makes those that fire smaller than they should be; TopK and its kin keep the largest as they are.",
  dSae: "More latents explain more at the same number a row; they also split features.",
  k: "Features that fire on a row. More explain more and are each harder to read.",
  l1Coefficient: "Weight of the L1 penalty: what it comes to for a row depends on the batch where it is a sum (last line).",
  l1Reduction:
    "The squared error is a mean over rows. A penalty that is a sum over them grows with the batch: at twice the rows it is twice as strong.",
  l1Weight: "Without decoder norms in it the penalty can be paid off: smaller features, larger decoder rows, the same reconstruction.",
  l0Coefficient: "JumpReLU's price of a feature that fires.",
  decoderConstraint:
    "Rows of norm 1 make activations of different features comparable, and leave an L1 penalty no way out through larger rows.",
  init: "Where training starts. An encoder that is the decoder's transpose begins with features that mean something.",
  decoderInitNorm: "Size of decoder rows at the start.",
  applyBDecToInput: "Whether features are of the activation or of its difference from b_dec.",
  auxCoefficient: "What brings dead latents back: they learn to explain what the others leave over.",
  kAux: "How many dead latents explain what the others leave over.",
  seed: "Other initial weights. What is found with every seed is likelier to be in the model than in the dictionary.",
  "trained.steps": "More training is an advantage by itself: autoencoders compare best after equally many rows.",
  "trained.rows": "Activations seen, with repeats.",
  "training.lr": "A rate too low for the number of steps leaves training unfinished, which looks like a sparser or a denser dictionary.",
  "training.betas": "How long Adam remembers.",
  "training.maxGradNorm": "Clipping keeps one batch from undoing many.",
  "training.warmupSteps": "A rate that grows at first kills fewer latents.",
  "training.decaySteps": "A rate that falls at the end settles what the noise of batches keeps moving.",
  "training.sparsityWarmupSteps": "A penalty that grows at first kills fewer latents.",
  "training.activationScale":
    "Activations of one scale let one rate and one coefficient fit every hook; saved weights are for activations as they are.",
  "training.bDecInit": "A b_dec that starts in the middle of the data spends no latents on the mean.",
  "training.deadAfterRows": "When a silent latent counts as dead, and AuxK begins to revive it.",
  "training.resample.atSteps": "Dead latents that get new weights.",
  "data.split":
    "Words it was trained on. Who trains on the words that it is measured on measures memory as well; figures below are of the split named above.",
  "data.tokens":
    "Which places train. Padding has no ink and often the largest activations: where it trains, it is what gets explained first.",
  "data.batchRows": "Rows of a step. Mixed rows are nearly independent; whole sequences are not.",
  "data.bufferRows": "Rows that are mixed. Neighbours in a word are alike, and a batch of neighbours is a batch of few words.",
  "data.batchSequences": "Whole sequences a step: neighbours side by side, padding included.",
  "data.sequences":
    "Sequences in all. The same ones over and over are learnt by heart; otherwise new ones are read for as long as training goes.",
};

/** Why a difference matters; undefined where nobody has said. */
export function reasonFor(key: string): string | undefined {
  return reasons[key];
}

/** Keys in the order in which they matter to most readers; those without a reason last. */
export function byImportance(keys: readonly string[]): string[] {
  const order = Object.keys(reasons);
  const place = (key: string): number => (order.includes(key) ? order.indexOf(key) : order.length);
  return keys.toSorted((a, b) => place(a) - place(b));
}

/** What an L1 coefficient comes to on a row of the batches that it was trained on; null where there is none. */
export function effectiveL1({ config }: Pick<ComparedSae, "config">): number | null {
  const [coefficient, steps, rows] = [config.l1Coefficient, config["trained.steps"], config["trained.rows"]].map(Number);
  if (!(coefficient! > 0 && steps! > 0)) return null;
  return config.l1Reduction === "sum" ? (coefficient! * rows!) / steps! : coefficient!;
}
