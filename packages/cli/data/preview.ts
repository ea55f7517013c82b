import { resolve } from "node:path";
import { augment, drawAugmentation, type InkSheetItem, inkSheet, type Point, StrokeTokenizer, type Word } from "@cursive/cursive-model";
import { createRng } from "@cursive/tensor";
import type { RunConfig } from "../config/run_config.ts";
import { explainFailure, UsageError } from "../errors.ts";
import { svgToPng } from "../ink/png.ts";
import { augmentations, openWords } from "../run/data.ts";
import { writeWhole } from "../run/files.ts";
import type { Output } from "../terminal/output.ts";
import { configOfSource, type SourceFlags } from "./source.ts";

/** Options of `data preview`. */
export interface PreviewFlags extends SourceFlags {
  /** `true` stands for {@link VARIANTS}. */
  readonly augmented?: number | true;
  readonly words: number;
  readonly only?: string;
  readonly seed: number;
  readonly out: string;
  readonly json?: true;
  readonly quiet?: true;
}

/** Variants of a word that are drawn unless a number is asked for. */
const VARIANTS = 3;

/** `data preview`: draws words, what is left of them as tokens, and their variants. */
export async function preview(flags: PreviewFlags, output: Output): Promise<void> {
  const { seed, ...rest } = flags; // it chooses what is shown; the configuration's makes the words
  const config = await configOfSource(rest);
  const words = chooseWords(await openWords(config), flags);
  const variants = flags.augmented === true ? VARIANTS : (flags.augmented ?? 0);
  if (variants > 0 && config.data.augmentation === "none")
    throw new UsageError("Expected data.augmentation to vary ink by but found none: --set data.augmentation=default");
  const rows = words.map((word, i) => drawRow(word, { config, variants, seed: seed + i }));
  const columns = variants > 0 ? variants + 2 : 4;
  const title = `Words of ${config.data.source}`;
  const sheet = inkSheet(rows.flat(), { columns, background: "white", scale: 200, title });
  const svg = `${flags.out.replace(/\.(svg|png)$/i, "")}.svg`;
  const png = svg.replace(/svg$/, "png");
  output.progress("drawing");
  try {
    await writeWhole(svg, sheet);
    await writeWhole(png, await svgToPng(sheet));
  } catch (error) {
    throw new UsageError(`Expected files that can be written at ${resolve(svg)} but found: ${explainFailure(error)}`);
  }
  output.endProgress();
  output.event("preview", { svg, png, texts: words.map(({ text }) => text), bins: config.data.bins, variants });
  output.say(`drew     ${words.length} words of ${config.data.source} in ${svg} and ${png}`);
}

/** Some of the words, in their order. @throws UsageError if there is none to choose from. */
function chooseWords(words: readonly Word[], { only, words: count, seed }: PreviewFlags): Word[] {
  const suited = words.filter(({ text }) => only === undefined || [...text].every((character) => only.includes(character)));
  if (suited.length === 0) throw new UsageError(`Expected words made of "${only}" alone but found none among ${words.length}`);
  const chosen = createRng(seed, "preview").permutation(suited.length).subarray(0, count);
  return Array.from(chosen.sort(), (i) => suited[i]!);
}

/** A word's ink, its tokens' ink, and its variants'. */
function drawRow(word: Word, about: { config: RunConfig; variants: number; seed: number }): InkSheetItem[] {
  const { config, variants, seed } = about;
  const { bins, augmentation } = config.data;
  const tokenizer = new StrokeTokenizer({ bins, decode: "centre" });
  const ranges = augmentations[augmentation];
  const tokensOf = (points: Word["points"], name: string): InkSheetItem => {
    const tokens = tokenizer.encodeStrokes(points);
    const [left, top] = points[0]!; // tokens do not say where the ink begins
    const ink = tokenizer.decodeStrokes(tokens).map(([x, y, pen]): Point => [x + left, y + top, pen]);
    return { ink, caption: `${name}: ${tokens.length} tokens` };
  };
  const varied = Array.from({ length: variants }, (_, i) => {
    const draws = ranges ? drawAugmentation(createRng(seed, "preview", word.text, i), ranges) : {};
    return tokensOf(augment(word.points, draws), "varied");
  });
  return [{ ink: word.points, caption: `${word.text} · ${word.points.length} points` }, tokensOf(word.points, bins), ...varied];
}
