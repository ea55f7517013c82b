import { makeWords, readWordBank, type StrokeTokenizer, type Word, WordDataset } from "@cursive/cursive-model";
import { trainAugmentation, type WordsConfig } from "./train_config.ts";

/** What examples are made of, and their form. */
export interface ExamplesOptions {
  readonly words: WordsConfig;
  readonly seed: number;
  /** The bank's bytes, where the words are a bank's. */
  readonly bank: Uint8Array | undefined;
  readonly tokenizer: StrokeTokenizer;
  readonly numWords: number;
  readonly maxLength: number;
  readonly contextLength: number;
}

/** Words that can be trained on, and how many of a bank's could not be. */
export interface Examples {
  readonly dataset: WordDataset;
  readonly skipped: number;
}

/**
 * Examples to train on. Of a bank, words with other characters than the alphabet's or without ink are left out.
 * @throws {WordBankError} if the bank is none. @throws RangeError if too few words are left.
 */
export async function openExamples(options: ExamplesOptions): Promise<Examples> {
  const { words: config, seed, bank, tokenizer, numWords, maxLength, contextLength } = options;
  const { count, characters, letters } = config;
  let skipped = 0;
  let words: Word[];
  if (config.source === "bank") {
    if (!bank) throw new RangeError("Expected a word bank but found none");
    const all = await readWordBank(bank, { onSkip: () => skipped++ });
    words = all.filter(({ text }) => tokenizer.unknownCharacters(text).length === 0);
    skipped += all.length - words.length;
  } else words = makeWords({ count, seed, characters, letters });
  const dataset = new WordDataset(words, { tokenizer, seed, numWords, maxLength, contextLength, augment: trainAugmentation });
  return { dataset, skipped };
}
