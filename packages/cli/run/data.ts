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
import { UsageError } from "../errors.ts";

const augmentations: Readonly<Record<RunConfig["data"]["augmentation"], AugmentationRanges | false>> = {
  default: defaultAugmentation,
  coarse: coarseAugmentation,
  none: false,
};

/** The data set that a configuration describes. @throws UsageError for a file that is not there or is no word bank. */
export async function openDataset({ data, seed }: RunConfig): Promise<WordDataset> {
  const words = data.source === "cursive" ? writtenWords(data, seed) : await importedWords(data.source);
  return new WordDataset(words, {
    tokenizer: new StrokeTokenizer({ bins: data.bins, decode: "centre" }),
    seed,
    numWords: data.numWords,
    maxLength: data.maxLength,
    contextLength: data.contextLength,
    augment: augmentations[data.augmentation],
  });
}

function writtenWords({ words, characters, letters }: RunConfig["data"], seed: number): Word[] {
  return makeWords({ count: words, seed, characters, letters });
}

async function importedWords(path: string): Promise<Word[]> {
  try {
    return await readWordBank(await readFile(path));
  } catch (error) {
    throw new UsageError(`Expected a word bank (zip or JSON) at ${path} but found: ${(error as Error).message}`);
  }
}
