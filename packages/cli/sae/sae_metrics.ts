import { effective, type MemberReport, type SaeStepReport, type TrainedMember } from "@cursive/sae";

/**
 * A line of `metrics.jsonl`: a step's figures under SAELens' names (`losses/mse_loss`, `metrics/l0`, `sparsity/dead_features`, …). Where several
 * autoencoders are trained, each one's stand behind its name: `k-8/metrics/l0`.
 */
export interface SaeRow {
  readonly step: number;
  /** Wall time. */
  readonly milliseconds: number;
  readonly rowsPerSecond: number;
  readonly [figure: string]: number;
}

/** SAELens' names of loss terms. */
const terms: Readonly<Record<string, string>> = {
  l2: "mse_loss",
  l1: "l1_loss",
  l0: "l0_loss",
  aux: "auxiliary_reconstruction_loss",
  preAct: "pre_act_loss",
};

/** The figures of a step. */
export function saeRow(
  { step, rows, lr, sparsityScale, milliseconds, members }: SaeStepReport,
  about: { readonly trained: readonly TrainedMember[]; readonly batchRows: number },
): SaeRow {
  const { trained, batchRows } = about;
  const first = trained[0]!.optimizer.initialLr;
  const figures = members.map((report, i) => {
    const { sae, optimizer, name } = trained[i]!;
    const prefix = members.length > 1 ? `${name}/` : "";
    const rate = (lr * optimizer.initialLr) / first;
    const all = { ...figuresOf(report, sae.config.dSae), "details/current_learning_rate": rate, ...weights(i) };
    return Object.entries(all).map(([key, value]) => [prefix + key, value] as const);
  });
  function weights(i: number): Record<string, number> {
    const warming = trained[i]!.sae.coefficients().filter(({ name }) => name === "l1" || name === "l0");
    return Object.fromEntries(warming.map((c) => [`details/${c.name}_coefficient`, effective(c, batchRows) * sparsityScale]));
  }
  return {
    step,
    "details/n_training_samples": rows,
    ...Object.fromEntries(figures.flat()),
    milliseconds,
    rowsPerSecond: Math.round((1000 * batchRows) / milliseconds),
  };
}

function figuresOf({ loss, losses, l0, fve, dead, gradNorm, resampled }: MemberReport, dSae: number): Record<string, number> {
  const named = Object.entries(losses).map(([term, value]) => [`losses/${terms[term] ?? `${term}_loss`}`, value] as const);
  return {
    "losses/overall_loss": loss,
    ...Object.fromEntries(named),
    "metrics/explained_variance": fve,
    "metrics/l0": l0,
    "sparsity/dead_features": dead,
    "sparsity/alive_features": dSae - dead,
    ...(gradNorm !== undefined && { "details/grad_norm": gradNorm }),
    ...(resampled !== undefined && { "sparsity/resampled_features": resampled }),
  };
}
