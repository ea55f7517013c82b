import type { Trainer } from "@cursive/cursive-model";
import type { HostTensor } from "@cursive/tensor";
import { firstNotFinite } from "./checkpoint.ts";

/**
 * Names the first tensor that is not finite on the way to a step at which something was found not to be. The trainer stands before it, at a
 * state that is sound; since training is deterministic, the same steps end the same way.
 */
export async function findNotFinite(trainer: Trainer, options: { readonly step: number; readonly signal?: AbortSignal }): Promise<string> {
  const { step, signal } = options;
  await train(trainer, { until: step - 1, signal });
  const before = firstNotFinite(await trainer.model.stateDict());
  if (before !== undefined) return (await gradientAt(trainer)) ?? `the first such tensor is ${before} after step ${step - 1}`;
  await train(trainer, { until: step, signal });
  const gradient = await gradientAt(trainer);
  if (gradient !== undefined) return gradient;
  const after = firstNotFinite(await trainer.model.stateDict());
  return after === undefined
    ? "parameters and gradients are finite when the steps are repeated"
    : `the first such tensor is ${after} after step ${step}`;
}

async function train(trainer: Trainer, options: { until: number; signal?: AbortSignal }): Promise<void> {
  for await (const _ of trainer.run(options));
  options.signal?.throwIfAborted();
}

/** The gradient of the last step that was the first to break: backward goes through the parameters from the last to the first. */
async function gradientAt(trainer: Trainer): Promise<string | undefined> {
  for (const [name, parameter] of [...trainer.model.namedParameters()].reverse()) {
    if (!parameter.grad) continue;
    const host = { shape: [...parameter.grad.shape], dtype: "f32", data: await parameter.grad.data() } as HostTensor;
    if (firstNotFinite([[name, host]]) !== undefined) return `the first such tensor is the gradient of ${name} at step ${trainer.step}`;
  }
  return undefined;
}
