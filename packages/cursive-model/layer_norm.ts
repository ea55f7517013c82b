import { LayerNorm, type Tensor } from "@cursive/tensor";
import { HookPoint } from "./hooks/hook_point.ts";

/** A layer normalisation whose scale can be watched: then it is computed step by step instead of in one kernel. */
export class HookedLayerNorm extends LayerNorm {
  /** `[.., 1]`: the standard deviation that each row is divided by. */
  readonly hook_scale: HookPoint = new HookPoint();

  override forward(x: Tensor): Tensor {
    if (!this.hook_scale.isHooked) return super.forward(x);
    const row = { axis: -1, keepDims: true } as const;
    const centered = x.sub(x.mean(row));
    const scale = this.hook_scale.call(centered.square().mean(row).add(this.eps).sqrt());
    return centered.div(scale).mul(this.weight).add(this.bias);
  }
}
