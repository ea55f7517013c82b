import type { StrokeTokenizer, TrainerState, Transformer } from "@cursive/cursive-model";
import { type HostTensor, writeSafetensors } from "@cursive/tensor";

/** What is needed to use a model again, as strings beside its parameters. */
export function modelMetadata(model: Transformer, tokenizer: StrokeTokenizer): Record<string, string> {
  return { format: "cursive-model", config: JSON.stringify(model.config), tokenizer: JSON.stringify(tokenizer) };
}

/** A model alone, under the parameter names of the PyTorch original. */
export function encodeModel(state: TrainerState, metadata: Readonly<Record<string, string>>): Uint8Array {
  return writeSafetensors(state.model, { metadata: { ...metadata, step: String(state.step) } });
}

/** Everything a run needs to go on: parameters under `model.`, moments under `optimizer.`, counts in the metadata. */
export function encodeCheckpoint(state: TrainerState, metadata: Readonly<Record<string, string>>): Uint8Array {
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of state.model) tensors.set(`model.${name}`, tensor);
  for (const [name, tensor] of state.optimizer.moments) tensors.set(`optimizer.${name}`, tensor);
  const counts = { step: String(state.step), stepCount: String(state.optimizer.stepCount), lr: String(state.optimizer.lr) };
  return writeSafetensors(tensors, { metadata: { ...metadata, ...counts } });
}
