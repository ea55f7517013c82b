import type { ModelWithData } from "../run/model_data.ts";
import type { Output } from "../terminal/output.ts";
import { type LoadedSae, nameSae } from "./load_sae.ts";

/** Words that an autoencoder is looked at on. */
export interface ReadWords {
  readonly split: "train" | "test";
  /** Whether it was trained on these very words; null where its file does not say on which. */
  readonly trainedOn: boolean | null;
}

/** The words of one part of a subject's, as an autoencoder stands to them. */
export function readWords(
  { origin: { split: trained, wordsHash } }: Pick<LoadedSae, "origin">,
  { subject: { data }, split }: { readonly subject: Pick<ModelWithData, "data">; readonly split: ReadWords["split"] },
): ReadWords {
  return { split, trainedOn: wordsHash === undefined ? null : wordsHash === data.hash && trained === split };
}

/** These words for people: `held-out words`. */
export function describeWords({ split, trainedOn }: ReadWords): string {
  if (split === "train") return trainedOn ? "words trained on, by the autoencoder as well" : "words trained on";
  return trainedOn ? "words held out from the model, but trained on by the autoencoder" : "held-out words";
}

/** Says so where words that are held out are so from the model alone: figures on them may be better than on others. */
export function warnOfTrainedWords(
  { split, trainedOn }: ReadWords,
  { loaded, output }: { readonly loaded: LoadedSae; readonly output: Output },
): void {
  if (split === "test" && trainedOn)
    output.warn(
      `note: ${nameSae(loaded)} was trained on these words, which are held out from the model alone; --data or --split names others`,
    );
}
