import type { Tensor } from "../tensor.ts";
import { type Op, TapeEntry } from "./node.ts";

/** The settings in force, the innermost last; async bodies may leave in any order. */
const scopes: { readonly enabled: boolean }[] = [];
let recordingTape = true;

/** Whether ops on tensors that want gradients are put on the tape. */
export function isGradEnabled(): boolean {
  return recordingTape;
}

/**
 * Runs `body` without recording for backward, as torch's `no_grad`. An async body keeps the setting until it settles; whatever else
 * runs meanwhile has it too.
 *
 * @example
 * ```ts
 * const logits = noGrad(() => model.forward(tokens, context).logits);
 * ```
 */
export function noGrad<T>(body: () => T): T {
  return withGrad(false, body);
}

/** Runs `body` with recording for backward, also inside {@link noGrad}. */
export function enableGrad<T>(body: () => T): T {
  return withGrad(true, body);
}

function withGrad<T>(enabled: boolean, body: () => T): T {
  const scope = { enabled };
  scopes.push(scope);
  recordingTape = enabled;
  const restore = (): void => {
    scopes.splice(scopes.lastIndexOf(scope), 1);
    recordingTape = scopes.at(-1)?.enabled ?? true;
  };
  let result: T;
  try {
    result = body();
  } catch (error) {
    restore();
    throw error;
  }
  if (result instanceof Promise) return result.finally(restore) as T;
  restore();
  return result;
}

/** Applies an op: check, kernels, and an entry on the tape where a gradient will be wanted. Returns its visible outputs. */
export function applyAll<A>(op: Op<A>, inputs: readonly Tensor[], attributes: A): Tensor[] {
  op.check?.(inputs, attributes);
  const wantsGradient = recordingTape && op.gradient !== null && inputs.some((t) => t.requiresGrad);
  const outputs = recordingTape ? withGrad(false, () => op.forward(inputs, attributes)) : op.forward(inputs, attributes);
  const visible = outputs.slice(0, op.visible ?? 1);
  if (wantsGradient) {
    const entry = new TapeEntry({ op: op as Op, inputs, attributes, outputs });
    for (let i = 0; i < visible.length; i++) if (visible[i]!.dtype === "f32") visible[i]!.recordOnTape(entry, i);
  }
  return visible;
}

/** {@link applyAll} for the many ops with one output. */
export function apply<A>(op: Op<A>, inputs: readonly Tensor[], attributes: A): Tensor {
  return applyAll(op, inputs, attributes)[0]!;
}
