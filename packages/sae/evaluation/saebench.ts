import type { Json } from "../snapshot.ts";
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

/** SAEBench's `CoreEvalConfig`. What it leaves out here (seeds, verbosity) has no meaning. */
export interface SaeBenchConfig {
  readonly model_name: string;
  readonly llm_dtype: "float32";
  readonly batch_size_prompts: number;
  readonly n_eval_reconstruction_batches: number;
  readonly n_eval_sparsity_variance_batches: number;
  readonly dataset: string;
  /** Tokens of a sequence. */
  readonly context_size: number;
  readonly compute_kl: boolean;
  readonly compute_ce_loss: boolean;
  readonly compute_l2_norms: boolean;
  readonly compute_sparsity_metrics: boolean;
  readonly compute_variance_metrics: boolean;
  readonly compute_featurewise_density_statistics: boolean;
  readonly compute_featurewise_weight_based_metrics: boolean;
  readonly exclude_special_tokens_from_reconstruction: boolean;
}

/** A whole results file of SAEBench's core evaluation, `sae_bench/evals/base_eval_output.py`. */
export interface SaeBenchOutput extends SaeBenchCore {
  readonly eval_config: SaeBenchConfig;
  readonly eval_id: string;
  readonly datetime_epoch_millis: number;
  /** Which SAEBench ran: none. */
  readonly sae_bench_commit_hash: string;
  /** The autoencoder in a release of SAELens: in none, as SAEBench writes it of autoencoders that one brings oneself. */
  readonly sae_lens_id: "custom_sae";
  readonly sae_lens_release_id: string;
  /** Which SAELens ran: none. */
  readonly sae_lens_version: null;
  /** SAELens's configuration. */
  readonly sae_cfg_dict: { readonly [key: string]: Json };
  readonly eval_result_unstructured: null;
}

/** What a results file says besides figures. */
export interface SaeBenchAbout {
  /** What to call the autoencoder among others. */
  readonly name: string;
  /** `cfg.json` as {@link writeSaeLens} writes it. */
  readonly cfg: Uint8Array;
  /** Of the model. */
  readonly modelName: string;
  /** What the words are. */
  readonly dataset: string;
  /** Tokens of a sequence. */
  readonly contextSize: number;
  readonly batches: number;
  /** Sequences of a batch. */
  readonly batchSize: number;
  /** Whether reconstructions stood at strokes' places only. */
  readonly excludesSpecialTokens: boolean;
  /** A UUID of this evaluation. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/**
 * A results file of SAEBench: {@link toSaeBench}'s figures with everything else that its readers ask for, −1 in the place of what is no number.
 * Neither SAEBench nor SAELens computed it, which `sae_bench_commit_hash` and `sae_lens_version` say.
 *
 * @example
 * ```ts
 * const { cfg } = writeSaeLens(await toSaeFile(sae, { hookSite, modelName }));
 * const file = saeBenchOutput(toSaeBench(evaluation), { name, cfg, modelName, dataset, contextSize, batches, batchSize, … });
 * ```
 */
export function saeBenchOutput(core: SaeBenchCore, about: SaeBenchAbout): SaeBenchOutput {
  const { eval_type_id, ...figures } = core;
  return {
    eval_type_id,
    eval_config: {
      model_name: about.modelName,
      llm_dtype: "float32",
      batch_size_prompts: about.batchSize,
      n_eval_reconstruction_batches: about.batches,
      n_eval_sparsity_variance_batches: about.batches,
      dataset: about.dataset,
      context_size: about.contextSize,
      compute_kl: true,
      compute_ce_loss: true,
      compute_l2_norms: true,
      compute_sparsity_metrics: true,
      compute_variance_metrics: true,
      compute_featurewise_density_statistics: true,
      compute_featurewise_weight_based_metrics: true,
      exclude_special_tokens_from_reconstruction: about.excludesSpecialTokens,
    },
    eval_id: about.id,
    datetime_epoch_millis: Math.round(about.time),
    ...withoutNaN(figures),
    sae_bench_commit_hash: "none: @cursive/sae",
    sae_lens_id: "custom_sae",
    sae_lens_release_id: about.name,
    sae_lens_version: null,
    sae_cfg_dict: JSON.parse(new TextDecoder().decode(about.cfg)),
    eval_result_unstructured: null,
  };
}

/** The same with −1 for every number that is none, as SAEBench saves it. */
function withoutNaN<T>(value: T): T {
  if (typeof value === "number") return (Number.isNaN(value) ? -1 : value) as T;
  if (Array.isArray(value)) return value.map(withoutNaN) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutNaN(item)])) as T;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
