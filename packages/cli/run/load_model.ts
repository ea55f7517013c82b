import { StrokeTokenizer, Transformer, type TransformerConfig } from "@cursive/cursive-model";
import { oneLine, UsageError } from "../errors.ts";
import { CheckpointError, unseal } from "./checkpoint.ts";
import { readIfThere } from "./files.ts";

/** A trained model, ready for use. */
export interface LoadedModel {
  readonly model: Transformer;
  readonly tokenizer: StrokeTokenizer;
  /** Steps it was trained. */
  readonly step: number;
}

/**
 * Makes the model of a checkpoint's file again, be it a model by itself or a whole run's state. A device must be open.
 *
 * @throws UsageError where there is none, or it is damaged or of another kind.
 */
export async function loadModel(path: string): Promise<LoadedModel> {
  const bytes = await readIfThere(path).catch((error) => {
    throw new UsageError(`Expected a checkpoint at ${path} but found: ${oneLine(error)}`);
  });
  if (!bytes) throw new UsageError(`Expected a checkpoint at ${path} but found no such file`);
  try {
    return decodeModel(bytes);
  } catch (error) {
    if (error instanceof CheckpointError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

/** The model in a checkpoint of either kind. @throws CheckpointError if it is damaged or of another kind. */
export function decodeModel(bytes: Uint8Array): LoadedModel {
  const { tensors, metadata } = unseal(bytes);
  const prefix = { "cursive-model": "", "cursive-run": "model." }[metadata.format ?? ""];
  if (prefix === undefined) throw new CheckpointError(`Expected a model's checkpoint but found ${metadata.format ?? "another file"}`);
  const parameters = [...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, t]) => [name.slice(prefix.length), t] as const);
  try {
    const model = new Transformer(JSON.parse(metadata.config ?? "") as TransformerConfig);
    const tokenizer = new StrokeTokenizer(JSON.parse(metadata.tokenizer ?? ""));
    model.loadStateDict(new Map(parameters));
    return { model, tokenizer, step: Number(metadata.step) };
  } catch (error) {
    throw new CheckpointError(`Expected a whole model but found: ${oneLine(error)}`);
  }
}
