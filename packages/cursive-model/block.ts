import { feedForward, Gelu, type KeyValueCache, Linear, linear, Module, type Rng, type Tensor } from "@cursive/tensor";
import { CrossAttention, SelfAttention } from "./attention.ts";
import { HookPoint } from "./hooks/hook_point.ts";
import { HookedLayerNorm } from "./layer_norm.ts";

/** Keys and values of a block. */
export interface BlockCaches {
  /** Those of the tokens so far. */
  readonly self: KeyValueCache;
  /** Those of the text. */
  readonly cross: KeyValueCache;
}

/** Attend to what was written, attend to the text, think. */
export class Block extends Module<[x: Tensor, c: Tensor, caches?: BlockCaches], Tensor> {
  /** `[B, T, C]`, as all here: the residual stream into the block. What leaves it is the block's output. */
  readonly hook_resid_pre: HookPoint = new HookPoint();
  /** The residual stream as self-attention sees it, before its normalisation. */
  readonly hook_attn_in: HookPoint = new HookPoint();
  /** The residual stream after self-attention. */
  readonly hook_resid_mid: HookPoint = new HookPoint();
  /** The residual stream as cross-attention sees it, before its normalisation. */
  readonly hook_cross_attn_in: HookPoint = new HookPoint();
  /** The residual stream after cross-attention. */
  readonly hook_resid_mid_cross: HookPoint = new HookPoint();
  /** The residual stream as the MLP sees it, before its normalisation. */
  readonly hook_mlp_in: HookPoint = new HookPoint();
  readonly ln_1: HookedLayerNorm;
  readonly attn: SelfAttention;
  readonly ln_2: HookedLayerNorm;
  readonly cross_attn: CrossAttention;
  readonly ln_3: HookedLayerNorm;
  readonly mlp: Mlp;

  constructor({ nEmbd, nHead }: { readonly nEmbd: number; readonly nHead: number }, rng: Rng) {
    super();
    this.ln_1 = new HookedLayerNorm(nEmbd);
    this.attn = new SelfAttention(nEmbd, { nHead, rng });
    this.ln_2 = new HookedLayerNorm(nEmbd);
    this.cross_attn = new CrossAttention(nEmbd, { nHead, rng });
    this.ln_3 = new HookedLayerNorm(nEmbd);
    this.mlp = new Mlp(nEmbd, rng);
  }

  override forward(x: Tensor, c: Tensor, caches?: BlockCaches): Tensor {
    const pre = this.hook_resid_pre.call(x); // (B, T, C)
    const attnIn = this.ln_1.call(this.hook_attn_in.call(pre));
    const mid = this.hook_resid_mid.call(addOutput(pre, this.attn, (residual) => this.attn.call(attnIn, residual, caches?.self)));
    const crossIn = this.ln_2.call(this.hook_cross_attn_in.call(mid));
    const midCross = this.hook_resid_mid_cross.call(
      addOutput(mid, this.cross_attn, (residual) => this.cross_attn.call(crossIn, c, residual, caches?.cross)),
    );
    const mlpIn = this.ln_3.call(this.hook_mlp_in.call(midCross));
    return addOutput(midCross, this.mlp, (residual) => this.mlp.call(mlpIn, residual));
  }
}

/**
 * x + part(…). If nobody watches the part's output, the residual is added inside of its last kernel; a hook must see the output alone.
 */
function addOutput(x: Tensor, part: { readonly isHooked: boolean; readonly c_proj: Linear }, run: (residual?: Tensor) => Tensor): Tensor {
  const watched = part.isHooked || part.c_proj.isHooked;
  return watched ? x.add(run()) : run(x);
}

/** Two layers with GELU between. */
export class Mlp extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  readonly c_fc: Linear;
  readonly c_proj: Linear;
  readonly act: Gelu;

  constructor(nEmbd: number, rng: Rng) {
    super();
    this.c_fc = new Linear(nEmbd, 4 * nEmbd, { rng });
    this.c_proj = new Linear(4 * nEmbd, nEmbd, { rng });
    this.act = new Gelu();
  }

  override forward(x: Tensor, residual?: Tensor): Tensor {
    const { c_fc, act, c_proj } = this;
    const isWatchedInside = [c_fc, act].some((part) => part.isHooked);
    if (!isWatchedInside && !c_proj.isHooked) return feedForward(x, [c_fc, c_proj], { residual });
    const hidden = isWatchedInside ? act.call(c_fc.call(x)) : linear(x, c_fc.weight, c_fc.bias, { activation: "gelu" }); // (B, T, 4C)
    return c_proj.call(hidden, { residual }); // (B, T, C)
  }
}
