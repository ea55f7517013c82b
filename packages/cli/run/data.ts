import { readFile } from "node:fs/promises";
import {
  type AugmentationRanges,
  coarseAugmentation,
  defaultAugmentation,
  makeWords,
  readWordBank,
  StrokeTokenizer,
  type Word,
  WordDataset,
} from "@cursive/cursive-model";
import type { RunConfig } from "../config/run_config.ts";
import { oneLine, UsageError } from "../errors.ts";
import { hashWords } from "./environment.ts";

/** What `data.augmentation` stands for. */
export const augmentations: Readonly<Record<RunConfig["data"]["augmentation"], AugmentationRanges | false>> = {
  default: defaultAugmentation,
  coarse: coarseAugmentation,
  none: false,
};

/** Words and what names them. */
export interface RunData {
  readonly dataset: WordDataset;
  /** SHA-256 of all words, see {@link hashWords}. */
  readonly hash: string;
}

/** The data that a configuration describes. @throws UsageError for a file that is not there, is no word bank, or has too few words. */
export async function openData(config: RunConfig): Promise<RunData> {
  const words = await openWords(config);
  try {
    return { dataset: makeDataset(words, config), hash: hashWords(words) };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${config.data.source}: ${error.message}${hint(error)}`);
    throw error;
  }
}

/** The words that a configuration names. @throws UsageError for a file that is not there or is no word bank. */
export async function openWords({ data, seed }: Pick<RunConfig, "data" | "seed">): Promise<Word[]> {
  const { source, words, characters, letters } = data;
  return source === "cursive" ? makeWords({ count: words, seed, characters, letters }) : importedWords(source);
}

/** Examples of words, as a configuration wants them. @throws RangeError if the words do not suit it. */
export function makeDataset(words: readonly Word[], { data, seed }: Pick<RunConfig, "data" | "seed">): WordDataset {
  return new WordDataset(words, {
    tokenizer: new StrokeTokenizer({ bins: data.bins, decode: "centre" }),
    seed,
    numWords: data.numWords,
    maxLength: data.maxLength,
    contextLength: data.contextLength,
    augment: augmentations[data.augmentation],
  });
}

/** The words of a word bank's file. @throws UsageError for a file that is not there or is no word bank. */
export async function importedWords(path: string): Promise<Word[]> {
  try {
    return await readWordBank(await readFile(path));
  } catch (error) {
    throw new UsageError(`Expected a word bank (zip or JSON) at ${path} but found: ${oneLine(error)}${hint(error)}`);
  }
}

/** What to do where single words are wrong. */
function hint(error: unknown): string {
  return / in word \d+/.test(oneLine(error)) ? "; `data import` leaves such words out" : "";
}
