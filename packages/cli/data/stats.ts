import {
  type Distribution,
  describeExamples,
  describeTokens,
  describeWords,
  type ExampleStats,
  type StrokeBinsName,
  StrokeTokenizer,
  strokeBins,
  type TokenStats,
  type WordStats,
} from "@cursive/cursive-model";
import type { RunConfig } from "../config/run_config.ts";
import { augmentations, openData, type RunData } from "../run/data.ts";
import type { Output } from "../terminal/output.ts";
import { grid, table } from "../terminal/table.ts";
import { configOfSource, type SourceFlags } from "./source.ts";

/** Options of `data stats`. */
export interface StatsFlags extends SourceFlags {
  readonly examples: number;
  readonly json?: true;
}

type AugmentationName = keyof typeof augmentations;

/** Everything that `data stats` finds. */
interface Stats extends WordStats {
  readonly source: string;
  readonly hash: string;
  readonly split: { readonly train: number; readonly test: number; readonly textsInBoth: number; readonly seed: number };
  /** By how ink is varied; in the configured bins. Two tokens a point in any. */
  readonly augmentations: Readonly<Record<AugmentationName, TokenStats>>;
  /** By tokenizer, with ink varied as configured. */
  readonly tokenizers: Readonly<Record<StrokeBinsName, TokenStats>>;
  readonly examples: Readonly<Record<"train" | "test", ExampleStats>>;
}

/** `data stats`: describes words and what a configuration makes of them. */
export async function stats(flags: StatsFlags, output: Output): Promise<void> {
  const config = await configOfSource(flags);
  const found = collect(await openData(config), { config, count: flags.examples });
  output.result({ ...found, config: config.data }, describe(found, config));
}

function collect({ dataset, hash }: RunData, { config, count }: { config: RunConfig; count: number }): Stats {
  const { train, test } = dataset.words;
  const words = [...train, ...test];
  const { seed, data } = config;
  const tokens = (bins: StrokeBinsName, augmentation: AugmentationName): TokenStats =>
    describeTokens(words, { tokenizer: new StrokeTokenizer({ bins }), augment: augmentations[augmentation], seed });
  const trained = new Set(train.map(({ text }) => text));
  const textsInBoth = new Set(test.map(({ text }) => text).filter((text) => trained.has(text))).size;
  return {
    source: data.source,
    hash,
    ...describeWords(words),
    split: { train: train.length, test: test.length, textsInBoth, seed },
    augmentations: byName(Object.keys(augmentations) as AugmentationName[], (name) => tokens(data.bins, name)),
    tokenizers: byName(Object.keys(strokeBins) as StrokeBinsName[], (bins) => tokens(bins, data.augmentation)),
    examples: byName(["train", "test"], (split) => describeExamples(dataset, { split, count })),
  };
}

function byName<K extends string, V>(names: readonly K[], make: (name: K) => V): Record<K, V> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<K, V>;
}

function describe(found: Stats, { data }: RunConfig): string {
  const { split, authors, characters, textLengths, tokenizers, examples } = found;
  const longest = Math.max(...textLengths.map(({ words }) => words));
  const bar = (words: number): string => "█".repeat(Math.max(1, Math.round((40 * words) / longest)));
  const whose = authors.map(({ author, words }) => `${author || "unnamed"}${authors.length > 1 ? ` (${words})` : ""}`).join(", ");
  const { textsInBoth } = split;
  return [
    `source   ${found.source}`,
    `hash     ${found.hash}`,
    `words    ${count(found.words)}, ${count(found.differentTexts)} different texts, by ${whose}`,
    `split    ${count(split.train)} to train on, ${count(split.test)} held out by seed ${split.seed}; ${textsInBoth === 0 ? "no" : textsInBoth} ${textsInBoth === 1 ? "text is" : "texts are"} in both`,
    `points   ${(100 * found.penUpShare).toFixed(1)} % with the pen up, ${found.pointsPerCharacter.toFixed(1)} a character`,
    "",
    table([
      ["", "least", "median", "mean", "95 %", "most"],
      ["points a word", ...row(found.points, 0)],
      ["strokes a word", ...row(found.strokes, 1)],
      ["width of a word, in canvas heights", ...row(found.width, 2)],
      ["above the baseline", ...row(found.above, 2)],
      ["below the baseline", ...row(found.below, 2)],
    ]),
    "",
    "characters a word",
    table(textLengths.map(({ characters: length, words }) => [String(length), count(words), bar(words)])),
    "",
    `${characters.length} characters, and how often`,
    grid(characters.map(({ character, count: times }) => `${character}  ${count(times)}`)),
    "",
    table([
      ["ink varied", "tokens a word", "a character", ""],
      ...Object.entries(found.augmentations).map(([name, tokens]) => [
        name,
        tokens.tokensPerWord.mean.toFixed(1),
        tokens.tokensPerCharacter.toFixed(1),
        name === data.augmentation ? "as configured" : "",
      ]),
    ]),
    "Two tokens a point with any stroke bins, and two more between words.",
    "",
    table([
      ["stroke bins", "tokens", "used", "entropy", "in bits", ""],
      ...Object.entries(tokenizers).map(([bins, { vocabulary, used, entropy }]) => [
        bins,
        String(vocabulary),
        String(used),
        entropy.toFixed(3),
        (entropy / Math.LN2).toFixed(3),
        bins === data.bins ? "as configured" : "",
      ]),
    ]),
    "Entropy is the loss of a model that knows how frequent each token is, and nothing else.",
    "",
    table([
      ["examples", "median", "95 %", "most", "at most", "cut"],
      ...(["train", "test"] as const).flatMap((name) => {
        const { tokens, characters: texts, cutInk, cutText, examples: of } = examples[name];
        return [
          [`${name}: tokens`, ...ends(tokens), String(data.maxLength - 1), share(cutInk, of)],
          [`${name}: characters`, ...ends(texts), String(data.contextLength), share(cutText, of)],
        ];
      }),
    ]),
    `Of ${examples.train.examples} examples of ${data.numWords} ${data.numWords === 1 ? "word" : "words"} each, drawn as training does; ` +
      `${(100 * examples.train.paddingShare).toFixed(0)} % of the targets are padding.`,
  ].join("\n");
}

function row({ least, median, mean, p95, most }: Distribution, decimals: number): string[] {
  return [least, median, mean, p95, most].map((value) => (value + 0).toFixed(decimals)); // + 0 turns -0 into 0
}

function ends({ median, p95, most }: Distribution): string[] {
  return [median, p95, most].map((value) => value.toFixed(0));
}

function share(part: number, whole: number): string {
  return part === 0 ? "none" : `${part} of ${whole}`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}
