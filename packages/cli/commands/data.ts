import { cursiveCharacters, type DuplicatePolicy } from "@cursive/cursive-model";
import { type Command, InvalidArgumentError, Option } from "commander";
import { addConfigOptions } from "../config/config_options.ts";
import { fromText, type Override } from "../config/overrides.ts";
import { type ImportFlags, importFiles } from "../data/import.ts";
import { type MakeFlags, makeBank } from "../data/make.ts";
import { type PreviewFlags, preview } from "../data/preview.ts";
import { type StatsFlags, stats } from "../data/stats.ts";
import { Output } from "../terminal/output.ts";

/** `data`: makes, imports, describes and draws word banks. */
export function addDataCommand(program: Command): void {
  const data = program
    .command("data")
    .description("Make, import, describe and draw word banks: the words that models are trained on.")
    .addHelpText("after", examples);
  addMake(data);
  addImport(data);
  addStats(data);
  addPreview(data);
}

const examples = `
Examples:
  pnpm cli data make --count 5000 --out mine.json.zip            words in the built-in hand
  pnpm cli data import bigbank.json.zip                          what is in it, and what is wrong with it
  pnpm cli data import a.zip b.json --out both.json.zip          merge, leaving out what is wrong
  pnpm cli data stats both.json.zip --preset reference           and what the reference's examples of it are like
  pnpm cli data preview both.json.zip --augmented                look at it`;

function addMake(data: Command): void {
  data
    .command("make")
    .description("Write a word bank in the built-in hand: the same bytes for the same options on every machine.")
    .option("--count <n>", "words", wholeNumber, 2000)
    .option("--seed <n>", "names every random choice", (given) => fromText("seed", { given, from: "--seed" }).value as number, 42)
    .option("--characters <text>", "what words are made of", cursiveCharacters)
    .option("--letters <least,most>", "fewest and most letters of a word", letters, [2, 9])
    .option("--out <file>", "a zip where the name ends in .zip, else JSON", "cursive.json.zip")
    .option("--force", "replace a file that is there")
    .option("--json", "what was written, as JSON")
    .option("--quiet", "nothing but errors")
    .addHelpText(
      "after",
      `
Examples:
  pnpm cli data make
  pnpm cli data make --count 5000 --characters abcdefghijklmnopqrstuvwxyz --letters 3,6 --out small.json.zip
  pnpm cli train --data small.json.zip`,
    )
    .action(async (flags: MakeFlags) => makeBank(flags, new Output(flags)));
}

function addImport(data: Command): void {
  data
    .command("import")
    .description("Read word banks and exports of collected ink, say what is wrong with them, and write the rest as one bank.")
    .argument("<file...>", "zips or JSON, such as the PyTorch original's banks and what its collect.html exports")
    .option("--out <file>", "a zip where the name ends in .zip, else JSON (default: only report)")
    .addOption(
      new Option("--duplicates <which>", "leave out words with the same text and ink, all later writings of a text, or nothing")
        .choices(["ink", "text", "keep"] satisfies DuplicatePolicy[])
        .default("ink"),
    )
    .option("--repair", "lift the pen where ink ends with the pen down, instead of leaving the word out")
    .option("--member <name>", "which file in a zip (default: the first .json)")
    .option("--force", "replace a file that is there")
    .option("--json", "the report, with every word that is left out, as JSON")
    .option("--quiet", "nothing but errors")
    .addHelpText(
      "after",
      `
Left out are words with no ink, with ink that does not end with the pen up, with coordinates that are no numbers, with characters that the
model's alphabet lacks, larger, smaller or longer than a word can be, or that were there before. Exit code 2 if none is left.

Examples:
  pnpm cli data import bigbank.json.zip                               only report
  pnpm cli data import bigbank.json.zip easybank.json.zip --out all.json.zip
  pnpm cli data import export.json --repair --out mine.json.zip
  pnpm --silent cli data import bank.json --json | jq '.files[].skipped[]'`,
    )
    .action(async (files: string[], flags: ImportFlags) => importFiles(files, { flags, output: new Output(flags) }));
}

function addStats(data: Command): void {
  const command = data
    .command("stats")
    .description("Describe words, what they come to as tokens, and the examples that a configuration makes of them.")
    .argument("[source]", "a word bank, or cursive for the built-in hand (default: what the configuration says)");
  addSourceOptions(command)
    .option("--examples <n>", "how many examples to draw of each split", wholeNumber, 500)
    .option("--json", "everything as JSON")
    .addHelpText(
      "after",
      `
Examples:
  pnpm cli data stats                                            the tiny preset's words
  pnpm cli data stats bigbank.json.zip --preset reference        would they fit the reference's sequences?
  pnpm cli data stats --run last                                 what a run is trained on
  pnpm cli data stats bigbank.json.zip --set data.maxLength=400 --set data.bins=polar-220-word`,
    )
    .action(async (source: string | undefined, flags: StatsFlags) => stats({ ...flags, ...sourceFlag(source) }, new Output(flags)));
}

function addPreview(data: Command): void {
  const command = data
    .command("preview")
    .description("Draw words as an SVG sheet and a PNG: their ink, what is left of it as tokens, and how training varies it.")
    .argument("[source]", "a word bank, or cursive for the built-in hand (default: what the configuration says)");
  addSourceOptions(command)
    .option("--augmented [n]", "draw so many variants of each word too, as training sees them (3 without a number)", wholeNumber)
    .option("--words <n>", "how many words", wholeNumber, 12)
    .option("--only <characters>", "words that are made of these characters alone")
    .option("--seed <n>", "chooses the words and varies them", (given) => fromText("seed", { given, from: "--seed" }).value as number, 1)
    .option("--out <file>", "the SVG; the PNG is written beside it", "preview.svg")
    .option("--json", "what was drawn, as JSON")
    .option("--quiet", "nothing but errors")
    .addHelpText(
      "after",
      `
Examples:
  pnpm cli data preview                                          twelve words of the tiny preset
  pnpm cli data preview bigbank.json.zip --augmented --bins polar-151
  pnpm cli data preview --run last --augmented 5 --words 6       what a run is trained on
  pnpm cli data preview bigbank.json.zip --only 0123456789 --out figures.svg`,
    )
    .action(async (source: string | undefined, flags: PreviewFlags) => preview({ ...flags, ...sourceFlag(source) }, new Output(flags)));
}

/** The options that say which words, and what examples are to be made of them. */
function addSourceOptions(command: Command): Command {
  command
    .option("--run <run>", "a run's data: a name, a number, a folder, or last")
    .option("--runs <folder>", "where run folders are", "runs");
  return addConfigOptions(command, { "--bins": true });
}

/** The positional source stands for `--data`. */
function sourceFlag(source: string | undefined): { readonly data?: Override } {
  return source === undefined ? {} : { data: fromText("data.source", { given: source, from: "--data" }) };
}

function wholeNumber(given: string): number {
  if (!/^[1-9]\d{0,6}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number from 1 but found "${given}".`);
  return Number(given);
}

function letters(given: string): [number, number] {
  const [, least, most] = /^(\d{1,2}),(\d{1,2})$/.exec(given) ?? [];
  if (least === undefined || Number(least) < 1 || Number(most) < Number(least))
    throw new InvalidArgumentError(`Expected the fewest and the most, such as 2,9, but found "${given}".`);
  return [Number(least), Number(most)];
}
