import { Module, type Tensor } from "@cursive/tensor";

/**
 * A place to watch where no layer's output is: gives what it is given. Free while nobody watches it; the parts around ask
 * `isHooked` and take kernels that compute what is watched where the fused ones do not. TransformerLens's `HookPoint`.
 */
export class HookPoint extends Module<[x: Tensor], Tensor> {
  override forward(x: Tensor): Tensor {
    return x;
  }
}
