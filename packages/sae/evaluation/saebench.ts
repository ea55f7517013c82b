import type { SaeEvaluation } from "./evaluate_sae.ts";
import type { TargetsEffect } from "./model_effect.ts";

/**
 * The core evaluation of SAEBench, `sae_bench/evals/core/eval_output.py`: its keys, in its units. −1 stands for what was not measured there, and for
 * scores against an ablation that costs too little to be divided by: its readers take nothing but numbers.
 */
export interface SaeBenchCore {
  readonly eval_type_id: "core";
  readonly eval_result_metrics: {
    readonly model_behavior_preservation: {
      readonly kl_div_score: number;
      readonly kl_div_with_ablation: number;
      readonly kl_div_with_sae: number;
    };
    readonly model_performance_preservation: {
      readonly ce_loss_score: number;
      readonly ce_loss_with_ablation: number;
      readonly ce_loss_with_sae: number;
      readonly ce_loss_without_sae: number;
    };
    readonly reconstruction_quality: {
      readonly explained_variance: number;
      readonly explained_variance_legacy: number;
      readonly mse: number;
      readonly cossim: number;
    };
    readonly shrinkage: {
      readonly l2_norm_in: number;
      readonly l2_norm_out: number;
      readonly l2_ratio: number;
      readonly relative_reconstruction_bias: number;
    };
    readonly sparsity: { readonly l0: number; readonly l1: number };
    readonly token_stats: {
      readonly total_tokens_eval_reconstruction: number;
      readonly total_tokens_eval_sparsity_variance: number;
    };
    readonly misc_metrics: {
      readonly freq_over_1_percent: number;
      readonly freq_over_10_percent: number;
      readonly normalized_freq_over_1_percent: number;
      readonly normalized_freq_over_10_percent: number;
      readonly average_max_encoder_cosine_sim: number;
      readonly average_max_decoder_cosine_sim: number;
      readonly frac_alive: number;
    };
  };
  readonly eval_result_details: readonly {
    readonly index: number;
    readonly feature_density: number;
    readonly consistent_activation_heuristic: number;
    readonly encoder_bias: number;
    readonly encoder_norm: number;
    readonly encoder_decoder_cosine_sim: number;
    readonly max_decoder_cosine_sim: number;
    readonly max_encoder_cosine_sim: number;
  }[];
}

/** Options of {@link toSaeBench}. */
export interface SaeBenchOptions {
  /** Which targets count. Default `"real"`: SAEBench leaves special tokens out. */
  readonly targets?: "real" | "all";
  /** Which ablation scores are against. Default `"zero"`, as SAEBench. */
  readonly ablation?: "zero" | "mean";
}

/**
 * An evaluation in SAEBench's shape, so that its numbers stand beside others'. `explained_variance` is the right one here; files that
 * SAEBench wrote up to mid 2026 have one that gives 0.86 for predicting the mean.
 */
export function toSaeBench(evaluation: SaeEvaluation, options: SaeBenchOptions = {}): SaeBenchCore {
  const { reconstruction, activity, geometry, effect } = evaluation;
  const { targets = "real", ablation = "zero" } = options;
  const measured: TargetsEffect = effect[targets];
  const { ce, kl, isIllConditioned, isKlIllConditioned } = measured.recovered[ablation];
  const latents = activity.density.length;
  return {
    eval_type_id: "core",
    eval_result_metrics: {
      model_behavior_preservation: {
        kl_div_score: isKlIllConditioned ? -1 : kl.value,
        kl_div_with_ablation: measured[ablation].kl.value,
        kl_div_with_sae: measured.sae.kl.value,
      },
      model_performance_preservation: {
        ce_loss_score: isIllConditioned ? -1 : ce.value,
        ce_loss_with_ablation: measured[ablation].ce.value,
        ce_loss_with_sae: measured.sae.ce.value,
        ce_loss_without_sae: measured.ce.value,
      },
      reconstruction_quality: {
        explained_variance: reconstruction.fve.value,
        explained_variance_legacy: reconstruction.legacyFve,
        mse: reconstruction.mse.value,
        cossim: reconstruction.cosine.value,
      },
      shrinkage: {
        l2_norm_in: reconstruction.norm.input,
        l2_norm_out: reconstruction.norm.output,
        l2_ratio: reconstruction.normRatio.value,
        relative_reconstruction_bias: reconstruction.relativeBias.value,
      },
      sparsity: { l0: reconstruction.l0.value, l1: reconstruction.l1.value },
      token_stats: { total_tokens_eval_reconstruction: measured.targets, total_tokens_eval_sparsity_variance: reconstruction.rows },
      misc_metrics: {
        freq_over_1_percent: activity.dense.over1Percent.latents / latents,
        freq_over_10_percent: activity.dense.over10Percent.latents / latents,
        normalized_freq_over_1_percent: activity.dense.over1Percent.shareOfFirings,
        normalized_freq_over_10_percent: activity.dense.over10Percent.shareOfFirings,
        average_max_encoder_cosine_sim: mean(geometry.nearestEncoder.cosine),
        average_max_decoder_cosine_sim: mean(geometry.nearestDecoder.cosine),
        frac_alive: 1 - activity.dead / latents,
      },
    },
    eval_result_details: activity.density.map((density, index) => ({
      index,
      feature_density: density,
      consistent_activation_heuristic: activity.firingsPerSequence[index]!,
      encoder_bias: geometry.encoderBias?.[index] ?? -1,
      encoder_norm: geometry.encoderNorm[index]!,
      encoder_decoder_cosine_sim: geometry.encoderDecoderCosine[index]!,
      max_decoder_cosine_sim: geometry.nearestDecoder.cosine[index]!,
      max_encoder_cosine_sim: geometry.nearestEncoder.cosine[index]!,
    })),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
