import {
  Decoder,
  type InkDifference,
  inkDifference,
  malformedPairs,
  sampleToken,
  spliceSite,
  type WrittenInk,
} from "@cursive/cursive-model";
import { type HeldLatent, Steering } from "@cursive/sae";
import { capture, createRng, noGrad, type Tensor, tensor } from "@cursive/tensor";
import { type FeatureBench, inputsOf } from "./features.ts";

/** What to write twice: as it is, and with features held. */
export interface SteerRequest {
  readonly text: string;
  readonly held: readonly HeldLatent[];
  /** Hold features only where they fire by themselves. Default: everywhere. */
  readonly onlyWhereFiring?: boolean;
  /** Names the draws, the same for both. */
  readonly seed: number;
  /** Below 1 tidier, above 1 wilder, 0 always the likeliest token. */
  readonly temperature: number;
  /** Choose among the k likeliest tokens; Infinity for all. */
  readonly topK: number;
}

/** One of the two writings, so far. */
export interface SteeredInk {
  readonly tokens: readonly number[];
  /** END was drawn; else the model ran out of places. */
  readonly ended: boolean;
}

/** Both writings, and how they differ. */
export interface SteerResult {
  readonly baseline: SteeredInk;
  readonly steered: SteeredInk;
  /** Of the steered ink from the baseline. */
  readonly difference: InkDifference;
  /** Halves of pairs in each. */
  readonly malformed: { readonly baseline: number; readonly steered: number };
  /**
   * KL(untouched ‖ steered) of the token after each place of the baseline, in nats, where both have read the baseline's ink. The last is about
   * END.
   */
  readonly kl: readonly number[];
  readonly meanKl: number;
}

/** How steering goes on. */
export interface SteerOptions {
  /** Called after every token with both writings so far. */
  readonly onTokens?: (baseline: readonly number[], steered: readonly number[]) => void;
  readonly signal?: AbortSignal;
}

/**
 * Writes a text as it is and with features held at values, side by side in one batch, so that equal places get equal draws and both come
 * as fast as one. Steering changes places one by one, so what is kept of the places before (their keys and values) stays right.
 *
 * @throws RangeError for values that make no sense. @throws The reason of `signal`.
 * @example
 * ```ts
 * const { baseline, steered, meanKl } = await steer(bench, { text: "hello", held: [{ latent: 18, value: 30 }], seed: 0, temperature: 0.6, topK: 40 });
 * ```
 */
export async function steer(bench: FeatureBench, request: SteerRequest, options: SteerOptions = {}): Promise<SteerResult> {
  const { model, tokenizer, sae } = bench;
  const { device } = model.lm_head.weight;
  const second = tensor(Int32Array.of(0, 1), { shape: [2, 1, 1], device }).gt(0); // the row that is steered
  const { held, onlyWhereFiring } = request;
  const steering = new Steering(sae, { dSae: sae.config.dSae, held, onlyWhereFiring, at: second, device });
  const [baseline, steered] = await writeBoth(bench, { ...request, hook: steering.hook, ...options });
  const kl = await divergences(bench, { tokens: baseline.tokens, text: request.text, hook: steering.hook });
  const written = ({ tokens }: SteeredInk): WrittenInk => ({ tokens, segments: tokenizer.segments(tokens) });
  const [own, other] = [written(steered), written(baseline)];
  return {
    ...{ baseline, steered, kl, meanKl: kl.reduce((a, b) => a + b, 0) / kl.length },
    difference: inkDifference(own, other),
    malformed: { baseline: malformedPairs(other.segments), steered: malformedPairs(own.segments) },
  };
}

type Hook = (activation: Tensor) => Tensor;

async function writeBoth(
  { model, tokenizer, site }: FeatureBench,
  { text, seed, temperature, topK, hook, onTokens, signal }: SteerRequest & SteerOptions & { readonly hook: Hook },
): Promise<[SteeredInk, SteeredInk]> {
  const { blockSize, contextBlockSize, vocabSize } = model.config;
  const start = tokenizer.encodeStrokes([[0, 0, 1]]);
  const untouched = () => ({ tokens: [...start], rng: createRng(seed, "generate", text, 0), ended: false }); // as `generate` draws
  const [first, second] = [untouched(), untouched()];
  const rows = [first, second];
  const context = new Int32Array(2 * contextBlockSize);
  for (const row of [0, 1]) context.set(tokenizer.encodeText(text, { length: contextBlockSize }), row * contextBlockSize);
  using _scope = model.hooks({ fwdHooks: [[site, hook]] });
  const decoder = new Decoder(model, { batch: 2, context });
  try {
    let logits = await decoder.start(Int32Array.from([...start, ...start]));
    for (let count = start.length; count < blockSize && !(first.ended && second.ended); count++) {
      signal?.throwIfAborted();
      if (count > start.length) logits = await decoder.next(Int32Array.from(rows, ({ tokens }) => tokens[count - 1] ?? tokenizer.padToken));
      for (const [i, row] of rows.entries()) {
        if (row.ended) continue;
        const token = sampleToken(logits.subarray(i * vocabSize, (i + 1) * vocabSize), { temperature, topK, rng: row.rng });
        if (token === tokenizer.endToken) row.ended = true;
        else row.tokens.push(token);
      }
      onTokens?.(first.tokens, second.tokens);
    }
  } finally {
    decoder.release();
  }
  const plain = ({ tokens, ended }: SteeredInk): SteeredInk => ({ tokens, ended });
  return [plain(first), plain(second)];
}

/** KL(untouched ‖ steered) after each token of the same ink. */
async function divergences(
  bench: FeatureBench,
  { tokens, text, hook }: { readonly tokens: readonly number[]; readonly text: string; readonly hook: Hook },
): Promise<number[]> {
  const { inputs } = inputsOf(bench, { ink: { tokens, text }, rows: 2 });
  const { device } = bench.model.lm_head.weight;
  const step = capture(
    (ids: Tensor, context: Tensor) =>
      noGrad(() => {
        const logits = spliceSite(bench.model, bench.site).logits(ids, context, hook).logSoftmax({ axis: -1 }); // [2, T, V]
        const [untouched, steered] = [0, 1].map((start) => logits.narrow(0, { start, length: 1 })) as [Tensor, Tensor];
        return untouched.exp().mul(untouched.sub(steered)).sum({ axis: -1 });
      }),
    { device },
  );
  try {
    const values = await (await step(inputs[0], inputs[2])).data();
    return Array.from(values.subarray(0, tokens.length), (value) => Math.max(0, value)); // rounding may leave a crumb below 0
  } finally {
    step.destroy();
  }
}
