import type { Tensor } from "../tensor.ts";
import { applyAll } from "./apply.ts";
import type { Op } from "./node.ts";

/** Sees the gradients of some tensors (null where none arrived), and by returning a list replaces them. */
export type GradientHook = (gradients: readonly (Tensor | null)[]) => readonly (Tensor | null)[] | undefined;

/**
 * The same tensors, with `hook` run by backward when all their gradients have been gathered. Costs no kernel. Torch's
 * `Tensor.register_hook`, but for what is computed from the results only.
 *
 * @example
 * ```ts
 * const [watched] = gradientHook([x], ([gradient]) => [gradient!.mul(0)]);
 * f(watched).backward(); // x gets no gradient through f
 * ```
 */
export function gradientHook(tensors: readonly Tensor[], hook: GradientHook): Tensor[] {
  const op: Op<undefined> = {
    name: "gradientHook",
    visible: tensors.length,
    forward: (inputs) => inputs.map((x) => x.detach()),
    gradient: ({ gradients }) => [...(hook(gradients) ?? gradients)],
  };
  return applyAll(op, tensors, undefined);
}
