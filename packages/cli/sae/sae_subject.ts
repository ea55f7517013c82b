import { UsageError } from "../errors.ts";
import { type ModelWithData, openModelWithData } from "../run/model_data.ts";
import type { LoadedSae } from "./load_sae.ts";

/** Which model an autoencoder is looked at in, as options of a command have it; without any that it was trained on. */
export interface SubjectChoice {
  /** Where run folders are. */
  readonly runs: string;
  readonly run?: string;
  readonly which?: "best" | "last";
  readonly checkpoint?: string;
  /** A word bank's file. Default: the words of the model's run. */
  readonly data?: string;
}

/**
 * The model that is asked for, or that which the autoencoder was trained on, with words for it to read. A device must be open.
 *
 * @throws UsageError where there is none, or it cannot be used.
 */
export async function findSubject({ origin, path }: LoadedSae, choice: SubjectChoice): Promise<ModelWithData> {
  const { runs, run, which, checkpoint, data } = choice;
  const isOther = run !== undefined || which !== undefined || checkpoint !== undefined;
  if (!isOther && origin.checkpoint === "")
    throw new UsageError(`Expected --run or --checkpoint, as ${path} names no model, but found neither`);
  try {
    return await openModelWithData({ runs, data, ...(isOther ? { run, which, checkpoint } : { checkpoint: origin.checkpoint }) });
  } catch (error) {
    if (isOther || !(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message}; ${path} was trained on it: give --run or --checkpoint for another`);
  }
}
