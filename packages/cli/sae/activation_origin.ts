import type { ModelWithData } from "../run/model_data.ts";

/** What activations are of. What is not known is left out, as in files of other programs. */
export interface ActivationOrigin {
  /** The model's checkpoint, and the run it is of. Empty where no model is named. */
  readonly checkpoint: string;
  readonly run: string | null;
  /** SHA-256 of the checkpoint's file: a run that goes on writes others to the same path. */
  readonly modelHash?: string;
  /** The word bank's file that the model read; null for the words of its run. */
  readonly bank?: string | null;
  /** Which part of the words, and SHA-256 of all of them. */
  readonly split?: "train" | "test";
  readonly wordsHash?: string;
}

/** What the activations of a model are of that reads one part of its words. */
export function activationOrigin({ found, modelHash, bank, data }: ModelWithData, split: "train" | "test"): ActivationOrigin {
  return { checkpoint: found.path, run: found.run?.name ?? null, modelHash, bank, split, wordsHash: data.hash };
}
