import { readFile } from "node:fs/promises";
import process from "node:process";
import { text as wholeText } from "node:stream/consumers";
import type { StrokeTokenizer } from "@cursive/cursive-model";
import { oneLine, UsageError } from "../errors.ts";

/** A text as the model can be asked for it. */
export interface FittedText {
  /** As it was given. */
  readonly text: string;
  /** In the model's characters. */
  readonly written: string;
  /** The characters that the model does not have, each once, and what stands for them: nothing, where they are left out. */
  readonly replaced: readonly { readonly character: string; readonly by: string }[];
}

/** The texts to write: arguments, and the lines of a file; `-` in either place is standard input. Blank lines are passed over. */
export async function readTexts(given: readonly string[], options: { readonly file?: string } = {}): Promise<string[]> {
  const texts: string[] = [];
  for (const text of given) texts.push(...(text === "-" ? await linesOf("-") : [text]));
  if (options.file !== undefined) texts.push(...(await linesOf(options.file)));
  return texts.map((text) => text.trim()).filter((text) => text !== "");
}

async function linesOf(path: string): Promise<string[]> {
  try {
    return (path === "-" ? await wholeText(process.stdin) : await readFile(path, "utf8")).split(/\r?\n/);
  } catch (error) {
    throw new UsageError(`Expected a file of texts at ${path} but found: ${oneLine(error)}`);
  }
}

/** What else may stand for characters that Unicode does not take apart. The first that the model has is taken. */
const lookalikes: readonly (readonly [characters: string, by: readonly string[]])[] = [
  ["‘’‚‛′`´", ["'"]],
  ["“”„‟″«»", ['"', "'"]],
  ["‐‑‒–—―−-", ["-", " "]],
  [";:", [",", "."]],
  ["…", ["..."]],
  ["[{<", ["("]],
  ["]}>", [")"]],
  ["ßẞ", ["ss"]],
  ["æ", ["ae"]],
  ["Æ", ["AE", "Ae"]],
  ["œ", ["oe"]],
  ["Œ", ["OE", "Oe"]],
  ["øð", ["o"]],
  ["Ø", ["O"]],
  ["łŁ", ["l"]],
  ["đ", ["d"]],
  ["ı", ["i"]],
  ["&+", ["and"]],
  ["\t\u00A0_/", [" "]],
];

/** Puts a text into the model's characters: accents off, quotes straight, and what nothing stands for left out. */
export function fitText(text: string, tokenizer: Pick<StrokeTokenizer, "unknownCharacters">): FittedText {
  const has = (candidate: string): boolean => tokenizer.unknownCharacters(candidate).length === 0;
  const composed = text.normalize("NFC");
  const replaced = tokenizer.unknownCharacters(composed).map((character) => ({ character, by: standIns(character).find(has) ?? "" }));
  const by = new Map(replaced.map((each) => [each.character, each.by]));
  const written = [...composed].map((character) => by.get(character) ?? character).join("");
  return { text, written: replaced.length > 0 ? written.replace(/ +/g, " ").trim() : written, replaced };
}

function standIns(character: string): string[] {
  const plain = character.normalize("NFKD").replace(/\p{M}/gu, "");
  const others = lookalikes.flatMap(([characters, by]) => ([...characters].includes(character) ? by : []));
  return [plain, ...others, plain.toLowerCase(), plain.toUpperCase()].filter((candidate) => candidate !== "");
}

/** What was done to a text, a line a character: `"café": é is not among the model's characters, e stands for it`. */
export function describeReplacements({ text, replaced }: FittedText): string[] {
  const done = (by: string): string => (by === "" ? "left out" : by === " " ? "a space stands for it" : `${by} stands for it`);
  return replaced.map(({ character, by }) => `${JSON.stringify(text)}: ${character} is not among the model's characters, ${done(by)}`);
}
