import { readFile } from "node:fs/promises";
import process from "node:process";
import { text as wholeText } from "node:stream/consumers";
import type { FittedText } from "@cursive/cursive-model";
import { oneLine, UsageError } from "../errors.ts";

/** The texts to write: arguments, and the lines of a file; `-` in either place is standard input. Blank lines are passed over. */
export async function readTexts(given: readonly string[], options: { readonly file?: string } = {}): Promise<string[]> {
  let texts: string[] = [];
  for (const text of given) texts = texts.concat(text === "-" ? await linesOf("-") : text);
  if (options.file !== undefined) texts = texts.concat(await linesOf(options.file));
  return texts.map((text) => text.trim()).filter((text) => text !== "");
}

async function linesOf(path: string): Promise<string[]> {
  try {
    return (path === "-" ? await wholeText(process.stdin) : await readFile(path, "utf8")).split(/\r?\n/);
  } catch (error) {
    throw new UsageError(`Expected a file of texts at ${path} but found: ${oneLine(error)}`);
  }
}

/** What was done to a text, a line a character: `"café": é is not among the model's characters, e stands for it`. */
export function describeReplacements({ text, replaced }: FittedText): string[] {
  const done = (by: string): string => (by === "" ? "left out" : by === " " ? "a space stands for it" : `${by} stands for it`);
  return replaced.map(({ character, by }) => `${JSON.stringify(text)}: ${character} is not among the model's characters, ${done(by)}`);
}
