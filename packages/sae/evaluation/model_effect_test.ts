import { readFileSync } from "node:fs";
import { spliceSite, Transformer, type TransformerConfig } from "@cursive/cursive-model";
import { createRng, type Device, HookError, type HostTensor, openDevice, readSafetensors, type Tensor, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae } from "../create_sae.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { evaluateSae, type SaeEvaluation, type SaeEvaluationOptions } from "./evaluate_sae.ts";
import { measureModelEffect } from "./model_effect.ts";
import { getFreqs, getReconsLoss } from "./notebook.ts";
import { saeBenchOutput, toSaeBench } from "./saebench.ts";
import type { SequenceBatch, SequenceBatches } from "./sequences.ts";
import { type Codec, spliceHook } from "./splice.ts";

const [vocabulary, length, characters, width, padToken] = [13, 12, 4, 8, 12];
const site = "blocks.0.hook_mlp_out";

let device: Device;
let model: Transformer;
let sae: SparseAutoencoder;
beforeAll(async () => {
  device = await openDevice();
  model = new Transformer({
    nLayer: 2,
    nHead: 2,
    nEmbd: width,
    blockSize: length,
    contextBlockSize: characters,
    vocabSize: vocabulary,
    contextVocabSize: 5,
  });
  sae = createSae({ architecture: "standard", dIn: width, dSae: 16, init: "kaiming", seed: 2 });
});
afterAll(() => device.destroy());

/** Ten sequences of random tokens, the end of each padding, in batches of a size. */
function batchesOf(size: number): SequenceBatches {
  const sequences = Array.from({ length: 10 }, (_, i) => {
    const rng = createRng(5, "sequence", i);
    const ink = 3 + rng.integer(length - 3);
    const tokens = Array.from({ length: length + 1 }, (_, place) => (place < ink ? rng.integer(vocabulary - 1) : padToken));
    return { tokens: tokens.slice(0, length), targets: tokens.slice(1), context: Array.from({ length: characters }, () => rng.integer(5)) };
  });
  return (batch) => {
    const own = sequences.slice(batch * size, (batch + 1) * size);
    if (own.length === 0) return undefined;
    const host = (of: (s: (typeof own)[number]) => number[], n: number): HostTensor => ({
      shape: [own.length, n],
      dtype: "i32",
      data: Int32Array.from(own.flatMap(of)),
    });
    return { tokens: host((s) => s.tokens, length), targets: host((s) => s.targets, length), context: host((s) => s.context, characters) };
  };
}

const keep = Uint8Array.from({ length: vocabulary }, (_, token) => Number(token !== padToken));

const evaluate = (options: Partial<SaeEvaluationOptions> = {}): Promise<SaeEvaluation> =>
  evaluateSae(sae, { model: spliceSite(model, site), batches: batchesOf(10), keep, padToken, chunkRows: 32, ...options });

const identity: Codec = { encode: (x) => x, decode: (features) => features };
const nothing: Codec = { encode: (x) => x, decode: (features) => features.mul(0) };

describe("measureModelEffect", () => {
  const mean = Array.from({ length: width }, (_, d) => d / 10);
  const effectOf = (codec: Codec, options: { errorTerm?: boolean; spliceAt?: ArrayLike<number> } = {}) =>
    measureModelEffect(codec, { model: spliceSite(model, site), batches: batchesOf(4), mean, padToken, ...options });

  it("finds that identity changes no bit, at any site", async () => {
    for (const at of [site, "blocks.1.mlp.hook_post", "blocks.0.attn.hook_z", "blocks.1.hook_resid_pre", "ln_final.hook_normalized"]) {
      const { all, real } = await measureModelEffect(identity, {
        model: spliceSite(model, at),
        batches: batchesOf(4),
        mean: [0],
        padToken,
      });
      for (const { sae: spliced, ce, recovered } of [all, real]) {
        expect(spliced.ce).toEqual(ce);
        expect([spliced.deltaCe.value, spliced.kl.value], at).toEqual([0, 0]);
        expect(recovered.zero.kl.value).toBe(1);
        expect(recovered.zero.ce.value).toBe(1);
      }
    }
  });

  it("gives a reconstruction of zeros, and one of the mean, the score 0", async () => {
    const zeros = await effectOf(nothing);
    expect(zeros.all.sae).toEqual(zeros.all.zero);
    expect([zeros.real.recovered.zero.ce.value + 0, zeros.real.recovered.zero.kl.value]).toEqual([0, 0]); // + 0: of −0
    const row = tensor(Float32Array.from(mean));
    const means = await effectOf({ encode: (x) => x, decode: (features) => features.mul(0).add(row) });
    expect(means.real.sae).toEqual(means.real.mean);
    expect(means.all.recovered.mean.ce.value).toBeCloseTo(0, 14);
    expect(means.all.zero.ce.value).not.toBe(means.all.mean.ce.value);
  });

  it("finds that an error term leaves nothing to lose, to the last bit", async () => {
    const { all } = await effectOf(sae, { errorTerm: true });
    expect([all.sae.deltaCe.value, all.sae.kl.value]).toEqual([0, 0]);
    expect((await effectOf(sae)).all.sae.kl.value).toBeGreaterThan(0.001);
  });

  it("agrees with the model's own losses under hooks, padding included and left out", async () => {
    const found = await effectOf(sae);
    const { tokens, targets, context } = batchesOf(10)(0) as SequenceBatch;
    const run = (hook: (x: Tensor) => Tensor | undefined): Promise<Float32Array> =>
      model
        .runWithHooks(tokens, context, { fwdHooks: [[site, hook]], targets, returnType: "loss", lossPerToken: true })
        .data() as Promise<Float32Array>;
    const isReal = (i: number): boolean => targets.data[i] !== padToken;
    const average = (losses: Float32Array, wanted: (i: number) => boolean): number => {
      const chosen = Array.from(losses).filter((_, i) => wanted(i));
      return chosen.reduce((a, b) => a + b, 0) / chosen.length;
    };
    for (const [name, hook] of [
      ["sae", spliceHook(sae)],
      ["zero", (x: Tensor) => x.mul(0)],
      ["mean", (x: Tensor) => x.mul(0).add(tensor(Float32Array.from(mean)))],
    ] as const) {
      const losses = await run(hook);
      expect(found.all[name].ce.value).toBeCloseTo(
        average(losses, () => true),
        5,
      );
      expect(found.real[name].ce.value).toBeCloseTo(average(losses, isReal), 5);
    }
    const original = await run(() => undefined);
    expect(found.real.ce.value).toBeCloseTo(average(original, isReal), 5);
    expect(found.all.targets).toBe(10 * length);
    expect(found.real.targets).toBe(Array.from(original).filter((_, i) => isReal(i)).length);
    expect(found.real.sae.deltaCe.value).toBeCloseTo(found.real.sae.ce.value - found.real.ce.value, 12);
  });

  it("replaces at the places asked for only", async () => {
    const none = await effectOf(sae, { spliceAt: new Uint8Array(vocabulary) });
    expect(none.all.sae.kl.value).toBe(0);
    expect(none.all.zero.deltaCe.value).toBe(0);
    expect(none.all.recovered.zero).toMatchObject({ isIllConditioned: true, isKlIllConditioned: true });
    const everywhere = await effectOf(sae, { spliceAt: new Uint8Array(vocabulary).fill(1) });
    expect(everywhere).toEqual(await effectOf(sae));
    expect((await effectOf(sae, { spliceAt: keep })).all.sae.kl.value).not.toBe(everywhere.all.sae.kl.value);
  });

  it("refuses sites without a vector a token, and unknown ones", () => {
    expect(() => spliceSite(model, "blocks.0.attn.hook_pattern")).toThrow(HookError);
    expect(() => spliceSite(model, "blocks.0.hook_mlp_ou")).toThrow("blocks.0.hook_mlp_out");
  });
});

describe("evaluateSae", () => {
  it("gives the same figures however the sequences are batched", async () => {
    const whole = await evaluate({ pieceSize: 4 });
    for (const size of [1, 3, 7]) expect(await evaluate({ batches: batchesOf(size), pieceSize: 4 })).toEqual(whole);
  });

  it("gives losses that differ in their last places at most when other numbers of sequences pass at once", async () => {
    const [few, many] = [await evaluate({ pieceSize: 3 }), await evaluate({ pieceSize: 10 })];
    expect(few.reconstruction).toEqual(many.reconstruction);
    expect(few.effect.real.sae.ce.value).toBeCloseTo(many.effect.real.sae.ce.value, 6);
    expect(few.effect.all.mean.kl.value).toBeCloseTo(many.effect.all.mean.kl.value, 6);
  });

  it("refuses sequences of different lengths", async () => {
    const cut = (batch: number): SequenceBatch | undefined => {
      const whole = batchesOf(1)(batch);
      if (batch !== 1 || !whole) return whole;
      const shorter = (t: HostTensor): HostTensor => ({ shape: [1, 3], dtype: "i32", data: t.data.subarray(0, 3) });
      return { tokens: shorter(whole.tokens), targets: shorter(whole.targets), context: whole.context };
    };
    await expect(evaluate({ batches: cut })).rejects.toThrow("Expected sequences of one length but found 12 and 3");
  });

  it("measures rows that are kept, and all of them for the notebook", async () => {
    const { reconstruction, activity, notebook, mean } = await evaluate();
    const all = await evaluate({ keep: undefined });
    expect(all.reconstruction.rows).toBe(10 * length);
    expect(reconstruction.rows).toBeLessThan(10 * length);
    expect([reconstruction.sequences, activity.rows]).toEqual([10, reconstruction.rows]);
    expect(mean).not.toEqual(all.mean);
    expect(notebook!.get_freqs).toEqual(all.notebook!.get_freqs);
    expect(notebook!.get_freqs.freqs).toEqual(all.activity.density);
    expect((await evaluate({ splice: "kept" })).notebook).toBeNull();
    await expect(evaluate({ splice: "kept", keep: undefined })).rejects.toThrow(
      "Expected `keep` for a splice at kept places but found none",
    );
  });

  it("says how far it is, and stops when asked", async () => {
    const seen: string[] = [];
    await evaluate({ pieceSize: 5, onSequences: (done, pass) => void seen.push(`${pass} ${done}`) });
    expect(seen).toEqual(["rows 5", "rows 10", "effect 5", "effect 10"]);
    await expect(evaluate({ signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow("stop");
  });
});

describe("the notebook's functions", () => {
  it("have PyTorch's losses of a small model, as it is and with its first MLP's output zeroed", async () => {
    // make_golden.py beside the file says what it holds.
    const file = readFileSync(new URL("../../cursive-model/testing/golden.safetensors", import.meta.url));
    const { tensors, metadata } = readSafetensors(file);
    const configs = JSON.parse(metadata.configs!) as Record<string, TransformerConfig>;
    for (const [name, config] of Object.entries(configs)) {
      const golden = (what: string): HostTensor => tensors.get(`${name}.${what}`)!;
      const trained = new Transformer(config);
      const parameters = [...trained.namedParameters()].map(([path]) => [path, golden(`parameter.${path}`)] as const);
      trained.loadStateDict(new Map(parameters));
      const batch: SequenceBatch = { tokens: golden("tokens"), targets: golden("targets"), context: golden("context") };
      const found = await getReconsLoss(nothing, {
        model: spliceSite(trained, "transformer.h.0.mlp.c_proj"),
        batches: (n) => (n === 0 ? batch : undefined),
      });
      expect(found.loss).toBeCloseTo(Number(golden("loss").data[0]), 5);
      expect(found.zero_abl_loss).toBeCloseTo(Number(golden("loss_without_mlp").data[0]), 5);
      expect(found.recons_loss).toBe(found.zero_abl_loss);
    }
  });

  it("agree with the evaluation of the same sequences, which has the same definition", async () => {
    const options = { model: spliceSite(model, site), batches: batchesOf(5) };
    const { notebook } = await evaluate();
    const { score, loss, recons_loss, zero_abl_loss } = await getReconsLoss(sae, options);
    expect(score).toBe((zero_abl_loss - recons_loss) / (zero_abl_loss - loss));
    for (const [name, value] of Object.entries({ score, loss, recons_loss, zero_abl_loss }))
      expect(notebook!.get_recons_loss[name as "loss"], name).toBeCloseTo(value, 12);
    expect(await getFreqs(sae, options)).toEqual(notebook!.get_freqs);
  });

  it("weigh batches alike, whatever their size, as a mean of means does", async () => {
    const model4 = { model: spliceSite(model, site), batches: batchesOf(4) };
    const single = await Promise.all(
      [0, 1, 2].map((i) => getReconsLoss(sae, { ...model4, batches: (n) => (n === 0 ? batchesOf(4)(i) : undefined) })),
    );
    const { loss } = await getReconsLoss(sae, model4);
    expect(loss).toBeCloseTo(single.reduce((sum, one) => sum + one.loss, 0) / 3, 12);
  });

  it("put latents that never fire at -6.5, and print their share as the dead", async () => {
    const silent: Codec = { encode: (x) => x.mul(0), decode: (features) => features };
    const { freqs, frac_dead, histogram } = await getFreqs(silent, { model: spliceSite(model, site), batches: batchesOf(5) });
    expect(freqs).toEqual(new Array(width).fill(0));
    expect(frac_dead).toBe(1);
    expect([histogram.edges[0], histogram.edges[50]]).toEqual([expect.closeTo(-7, 12), expect.closeTo(-6, 12)]); // as numpy.histogram has it
    expect(histogram.counts).toHaveLength(50);
    expect(histogram.counts[25]).toBe(width);
  });
});

describe("toSaeBench", () => {
  it("has SAEBench's keys, filled from the evaluation", async () => {
    const evaluation = await evaluate();
    const { eval_result_metrics: metrics, eval_result_details: details } = toSaeBench(evaluation);
    expect(Object.keys(metrics)).toEqual([
      "model_behavior_preservation",
      "model_performance_preservation",
      "reconstruction_quality",
      "shrinkage",
      "sparsity",
      "token_stats",
      "misc_metrics",
    ]);
    expect(metrics.model_performance_preservation.ce_loss_with_sae).toBe(evaluation.effect.real.sae.ce.value);
    expect(metrics.reconstruction_quality.explained_variance).toBe(evaluation.reconstruction.fve.value);
    expect(metrics.misc_metrics.frac_alive).toBe(1 - evaluation.activity.dead / 16);
    expect(details).toHaveLength(16);
    expect(Object.keys(details[3]!)).toEqual([
      "index",
      "feature_density",
      "consistent_activation_heuristic",
      "encoder_bias",
      "encoder_norm",
      "encoder_decoder_cosine_sim",
      "max_decoder_cosine_sim",
      "max_encoder_cosine_sim",
    ]);
    const { recovered } = evaluation.effect.real;
    const scores = (of: object): unknown[] => {
      const effect = {
        ...evaluation.effect,
        real: { ...evaluation.effect.real, recovered: { ...recovered, zero: { ...recovered.zero, ...of } } },
      };
      const { model_behavior_preservation: kl, model_performance_preservation: ce } = toSaeBench({
        ...evaluation,
        effect,
      }).eval_result_metrics;
      return [ce.ce_loss_score, kl.kl_div_score];
    };
    const { ce, kl } = recovered.zero;
    expect(scores({ isIllConditioned: false, isKlIllConditioned: false })).toEqual([ce.value, kl.value]);
    expect(scores({ isIllConditioned: true, isKlIllConditioned: false })).toEqual([-1, kl.value]);
    expect(scores({ isIllConditioned: true, isKlIllConditioned: true })).toEqual([-1, -1]);
    const all = toSaeBench(evaluation, { targets: "all", ablation: "mean" }).eval_result_metrics;
    expect(all.model_performance_preservation.ce_loss_with_ablation).toBe(evaluation.effect.all.mean.ce.value);
    expect(JSON.parse(JSON.stringify(evaluation)).activity.density).toHaveLength(16);
  });

  it("makes a results file of it, with -1 for what is no number", async () => {
    const core = toSaeBench(await evaluate());
    const { sparsity } = core.eval_result_metrics;
    const broken = { ...core, eval_result_metrics: { ...core.eval_result_metrics, sparsity: { ...sparsity, l1: Number.NaN } } };
    const about = {
      name: "k-8",
      modelName: "model",
      dataset: "words",
      contextSize: 9,
      batches: 2,
      batchSize: 3,
      excludesSpecialTokens: true,
    };
    const cfg = new TextEncoder().encode('{"architecture":"topk"}');
    const file = saeBenchOutput(broken, { ...about, cfg, id: "an id", time: 1234.5 });
    expect(file.eval_result_metrics.sparsity).toEqual({ l0: sparsity.l0, l1: -1 });
    expect(file).toMatchObject({ ...core, eval_result_metrics: { ...core.eval_result_metrics, sparsity: { l1: -1 } } });
    expect(file).toMatchObject({ eval_id: "an id", datetime_epoch_millis: 1235, sae_lens_release_id: "k-8", sae_lens_version: null });
    expect(file.sae_cfg_dict).toEqual({ architecture: "topk" });
    expect(file.eval_config).toMatchObject({ context_size: 9, batch_size_prompts: 3, exclude_special_tokens_from_reconstruction: true });
  });
});
