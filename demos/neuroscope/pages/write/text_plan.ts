import { fitText } from "@cursive/cursive-model";
import type { ModelFacts } from "../../engine/model_file.ts";

/** A word, or a piece of one that is longer than the model takes. */
export interface PlannedWord {
  readonly text: string;
  /** Goes on from the piece before. */
  readonly isJoined: boolean;
  /** The how many-th of this text it is, from 0. */
  readonly copy: number;
}

/** What becomes of a typed text. */
export interface TextPlan {
  readonly words: readonly PlannedWord[];
  /** Places in the text, of UTF-16 units, that the model does not have: `[from, to)`. */
  readonly marks: readonly (readonly [from: number, to: number])[];
  /** What is done about them, in words. */
  readonly notes: readonly string[];
}

/** Most characters of a text, and most words: they are all written side by side. */
export const LONGEST_TEXT = 160;
export const MOST_WORDS = 24;

type Alphabet = Pick<ModelFacts, "characters" | "longestWord">;

/** What the model is asked to write for a text: word by word, in the characters that it was trained on. */
export function planText(text: string, model: Alphabet): TextPlan {
  const { written, replaced, known } = inKnownCharacters(text, model);
  const { longestWord } = model;
  const pieces = written
    .split(" ")
    .filter(Boolean)
    .flatMap((word) => piecesOf(word, longestWord).map((piece, i) => ({ text: piece, isJoined: i > 0 })));
  const words = pieces
    .slice(0, MOST_WORDS)
    .map((piece, i) => ({ ...piece, copy: pieces.slice(0, i).filter((other) => other.text === piece.text).length }));
  const notes = [
    ...replacementNotes(replaced),
    ...(words.some(({ isJoined }) => isJoined)
      ? [`Words of more than ${longestWord} letters are written in pieces: this model was trained on no longer ones.`]
      : []),
    ...(pieces.length > MOST_WORDS ? [`Only the first ${MOST_WORDS} words are written.`] : []),
  ];
  return { words, marks: marksOf(text, known), notes };
}

/**
 * What of a text is looked at where it is one piece of ink, with what was made of it, in words: the first word, as {@link planText} has it, or
 * as many characters as the model takes where it was trained on several words at a time.
 */
export function fitWord(text: string, model: Alphabet): { readonly text: string; readonly note: string } {
  const { written, replaced } = inKnownCharacters(text, model);
  const whole = written.trim();
  const fitted = model.characters.includes(" ")
    ? whole.slice(0, model.longestWord).trim()
    : (piecesOf(whole.split(" ")[0]!, model.longestWord)[0] ?? "");
  const left = fitted === whole ? [] : [`Here one word at a time is looked at: “${fitted}”.`];
  return { text: fitted, note: [...replacementNotes(replaced), ...left].join(" ") };
}

function inKnownCharacters(text: string, { characters }: Alphabet): ReturnType<typeof fitText> & { readonly known: ReadonlySet<string> } {
  const known = new Set([...characters, " "]);
  const unknownCharacters = (part: string): string[] => [...new Set(part)].filter((character) => !known.has(character));
  return { ...fitText(text.replace(/\s+/g, " "), { unknownCharacters }), known };
}

function piecesOf(word: string, most: number): string[] {
  const count = Math.ceil(word.length / most);
  const size = Math.ceil(word.length / count);
  return Array.from({ length: count }, (_, i) => word.slice(i * size, (i + 1) * size));
}

function marksOf(text: string, known: ReadonlySet<string>): [number, number][] {
  const marks: [number, number][] = [];
  let at = 0;
  for (const character of text) {
    const end = at + character.length;
    if (!known.has(character) && !/\s/.test(character)) {
      if (marks.at(-1)?.[1] === at) marks.at(-1)![1] = end;
      else marks.push([at, end]);
    }
    at = end;
  }
  return marks;
}

function replacementNotes(replaced: readonly { readonly character: string; readonly by: string }[]): string[] {
  const isCase = ({ character, by }: { character: string; by: string }): boolean => by !== "" && character.toLowerCase() === by;
  const capitals = replaced.filter(isCase);
  const others = replaced.filter((each) => !isCase(each) && each.by.trim() !== "");
  const gone = replaced.filter(({ by }) => by.trim() === "");
  return [
    ...(capitals.length > 0
      ? [`This model has small letters only: ${listed(capitals)} ${capitals.length > 1 ? "are" : "is"} written small.`]
      : []),
    ...others.map(({ character, by }) => `${character} is written as ${by}.`),
    ...(gone.length > 0
      ? [`${listed(gone)} ${gone.length > 1 ? "are" : "is"} left out: this model does not have ${gone.length > 1 ? "them" : "it"}.`]
      : []),
  ];
}

function listed(all: readonly { readonly character: string }[]): string {
  const names = all.map(({ character }) => character);
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names.join();
}
