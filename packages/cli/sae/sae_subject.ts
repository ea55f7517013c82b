import { UsageError } from "../errors.ts";
import { findCheckpoint } from "../run/find_model.ts";
import { type ModelWithData, openModelWithData } from "../run/model_data.ts";
import type { ActivationOrigin } from "./activation_origin.ts";
import type { LoadedSae } from "./load_sae.ts";

/** Which model an autoencoder is looked at in, as options of a command have it; without any that it was trained on. */
export interface SubjectChoice {
  /** Where run folders are. */
  readonly runs: string;
  readonly run?: string;
  readonly which?: "best" | "last";
  readonly checkpoint?: string;
  /** A word bank's file. Default: the words that the autoencoder was trained on, with another model those of its run. */
  readonly data?: string;
}

/**
 * The model that is asked for, or that which the autoencoder was trained on, with words for it to read: those that it read then, unless others are
 * asked for or another model is. A device must be open.
 *
 * @throws UsageError where there is none, or it cannot be used, or its checkpoint has other weights by now and nobody has asked for them.
 */
export async function findSubject({ origin, path }: LoadedSae, choice: SubjectChoice): Promise<ModelWithData> {
  const { runs, run, which, checkpoint, data } = choice;
  const isAsked = run !== undefined || which !== undefined || checkpoint !== undefined;
  if (isAsked) {
    const { path: asked } = await findCheckpoint({ runs, run, which, checkpoint });
    return openModelWithData({ runs, checkpoint: asked, data: data ?? (asked === origin.checkpoint ? bankOf(origin) : undefined) });
  }
  if (origin.checkpoint === "") throw new UsageError(`Expected --run or --checkpoint, as ${path} names no model, but found neither`);
  const subject = await openOwn({ origin, path }, { runs, data });
  if (origin.modelHash !== undefined && subject.modelHash !== origin.modelHash)
    throw new UsageError(
      `Expected the weights that ${path} was trained on in ${origin.checkpoint} but found others: training has gone on since; --checkpoint ${origin.checkpoint} takes them all the same`,
    );
  return subject;
}

async function openOwn(
  { origin, path }: Pick<LoadedSae, "origin" | "path">,
  { runs, data }: Pick<SubjectChoice, "runs" | "data">,
): Promise<ModelWithData> {
  const bank = data === undefined ? bankOf(origin) : undefined;
  try {
    return await openModelWithData({ runs, data: data ?? bank, checkpoint: origin.checkpoint });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const words = bank === undefined ? "" : ", or --data for other words";
    throw new UsageError(`${error.message}; ${path} was trained on it: give --run or --checkpoint for another${words}`);
  }
}

function bankOf({ bank }: ActivationOrigin): string | undefined {
  return bank ?? undefined;
}
