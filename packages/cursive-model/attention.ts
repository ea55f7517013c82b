import {
  full,
  type KeyValue,
  type KeyValueCache,
  Linear,
  type LinearOptions,
  Module,
  matmul,
  type Rng,
  scaledDotProductAttention,
  type Tensor,
} from "@cursive/tensor";
import { HookPoint } from "./hooks/hook_point.ts";

/** Sizes and random numbers of an attention. */
interface AttentionParts {
  readonly nHead: number;
  readonly rng: Rng;
}

/**
 * What a score is where a token may not look: finite, for infinities make NaN on some drivers, and low enough that its softmax is 0
 * beside any score of a model.
 */
export const MASKED_SCORE = -1e30;

/**
 * What self- and cross-attention share: softmax(q kᵀ / √D) v, with a place to watch each step. Queries, keys, values and their mixture are
 * watched around the fused kernel; scores and pattern, which it never stores, only by computing them as the formula says.
 */
abstract class Attention<I extends readonly unknown[]> extends Module<I, Tensor> {
  /** `[B, T, H, D]` */
  readonly hook_q: HookPoint = new HookPoint();
  /** `[B, S, H, D]` */
  readonly hook_k: HookPoint = new HookPoint();
  /** `[B, S, H, D]` */
  readonly hook_v: HookPoint = new HookPoint();
  /** `[B, H, T, S]`, scaled; {@link MASKED_SCORE} where masked. */
  readonly hook_attn_scores: HookPoint = new HookPoint();
  /** `[B, H, T, S]`, rows that add up to 1. */
  readonly hook_pattern: HookPoint = new HookPoint();
  /** `[B, T, H, D]` */
  readonly hook_z: HookPoint = new HookPoint();
  readonly #nHead: number;
  readonly #causal: boolean;

  constructor({ nHead, causal }: { nHead: number; causal: boolean }) {
    super();
    this.#nHead = nHead;
    this.#causal = causal;
  }

  /** `[B, T, C]` → `[B, H, T, D]`, a view, watched before its axes change places. */
  protected splitHeads(x: Tensor, hook: HookPoint): Tensor {
    const [b, t, c] = x.shape as [number, number, number];
    return hook.call(x.reshape([b, t, this.#nHead, c / this.#nHead])).transpose(1, 2);
  }

  /** Queries `[B, H, T, D]`, keys and values `[B, H, S, D]` → `[B, H, T, D]`. */
  protected mix(q: Tensor, { key, value }: KeyValue): Tensor {
    const watched = this.hook_attn_scores.isHooked || this.hook_pattern.isHooked;
    return watched ? this.#mixStepByStep(q, { key, value }) : scaledDotProductAttention(q, key, value, { causal: this.#causal });
  }

  /** `[B, H, T, D]` → `[B, T, C]`; free, since attention lays its output out that way. */
  protected joinHeads(mixed: Tensor): Tensor {
    const z = this.hook_z.call(mixed.transpose(1, 2)); // (B, T, H, D)
    return z.reshape([...z.shape.slice(0, 2), -1]);
  }

  #mixStepByStep(q: Tensor, { key, value }: KeyValue): Tensor {
    const raw = matmul(q, key.transpose(-1, -2)).mul(1 / Math.sqrt(q.shape.at(-1)!)); // (B, H, T, S)
    const scores = this.hook_attn_scores.call(this.#causal ? hideFuture(raw) : raw);
    const pattern = this.hook_pattern.call(scores.softmax({ axis: -1 }));
    return matmul(pattern, value); // (B, H, T, D)
  }
}

/** Masks what stands to the right of the diagonal of `scores [.., T, T]`. */
function hideFuture(scores: Tensor): Tensor {
  const future = full(scores.shape.slice(-2), 1, { device: scores.device }).triu({ diagonal: 1 }).gt(0);
  return scores.maskedFill(future, MASKED_SCORE);
}

/** Causal self-attention over the strokes so far. */
export class SelfAttention extends Attention<[x: Tensor, residual?: Tensor, cache?: KeyValueCache]> {
  readonly c_attn: Linear;
  readonly c_proj: HeadProjection;

  constructor(nEmbd: number, { nHead, rng }: AttentionParts) {
    super({ nHead, causal: true });
    this.c_attn = new Linear(nEmbd, 3 * nEmbd, { rng });
    this.c_proj = new HeadProjection(nEmbd, { nHead, rng });
  }

  override forward(x: Tensor, residual?: Tensor, cache?: KeyValueCache): Tensor {
    const [queries, keys, values] = this.c_attn.call(x).chunk(3, 2) as [Tensor, Tensor, Tensor]; // (B, T, C) each
    const q = this.splitHeads(queries, this.hook_q); // (B, H, T, D)
    const own = { key: this.splitHeads(keys, this.hook_k), value: this.splitHeads(values, this.hook_v) }; // (B, H, T, D) each
    if (cache?.length) return this.c_proj.call(this.joinHeads(cache.append(q, own)), { residual });
    cache?.fill(own);
    return this.c_proj.call(this.joinHeads(this.mix(q, own)), { residual }); // (B, T, C)
  }
}

/** Attention from the strokes to the characters of the text. The text's padding is attended to, as in the original. */
export class CrossAttention extends Attention<[x: Tensor, c: Tensor, residual?: Tensor, cache?: KeyValueCache]> {
  readonly c_attn_q: Linear;
  readonly c_attn_kv: Linear;
  readonly c_proj: HeadProjection;

  constructor(nEmbd: number, { nHead, rng }: AttentionParts) {
    super({ nHead, causal: false });
    this.c_attn_q = new Linear(nEmbd, nEmbd, { rng });
    this.c_attn_kv = new Linear(nEmbd, 2 * nEmbd, { rng });
    this.c_proj = new HeadProjection(nEmbd, { nHead, rng });
  }

  override forward(x: Tensor, c: Tensor, residual?: Tensor, cache?: KeyValueCache): Tensor {
    const q = this.splitHeads(this.c_attn_q.call(x), this.hook_q); // (B, H, T, D)
    if (cache?.length) return this.c_proj.call(this.joinHeads(cache.attend(q)), { residual });
    const [keys, values] = this.c_attn_kv.call(c).chunk(2, 2) as [Tensor, Tensor]; // (B, S, C) each
    const text = { key: this.splitHeads(keys, this.hook_k), value: this.splitHeads(values, this.hook_v) }; // (B, H, S, D) each
    cache?.fill(text);
    return this.c_proj.call(this.joinHeads(this.mix(q, text)), { residual }); // (B, T, C)
  }
}

/** The projection that joins the heads; watched, it projects each head by itself and adds them up. */
export class HeadProjection extends Linear {
  /** `[B, T, H, C]`: what each head adds to the residual stream, which gets the bias besides. */
  readonly hook_result: HookPoint = new HookPoint();
  readonly #nHead: number;

  constructor(nEmbd: number, { nHead, rng }: AttentionParts) {
    super(nEmbd, nEmbd, { rng });
    this.#nHead = nHead;
  }

  /** `x [B, T, C]`, the heads' mixtures side by side → `[B, T, C]`. */
  override forward(x: Tensor, options: LinearOptions = {}): Tensor {
    if (!this.hook_result.isHooked) return super.forward(x, options);
    const [b, t, c] = x.shape as [number, number, number];
    const heads = { count: this.#nHead, size: c / this.#nHead };
    const z = x.reshape([b, t, heads.count, heads.size]).transpose(1, 2); // (B, H, T, D)
    const weight = this.weight.reshape([c, heads.count, heads.size]).permute([1, 2, 0]); // (H, D, C)
    const result = this.hook_result.call(matmul(z, weight).transpose(1, 2)); // (B, T, H, C)
    const y = result.sum({ axis: 2 }).add(this.bias!);
    return options.residual ? y.add(options.residual) : y;
  }
}
