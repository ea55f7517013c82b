import { type StrokeTokenizer, strokeColumns, strokeTokenClasses } from "@cursive/cursive-model";
import type { Factor } from "../analysis/factor.ts";
import { strokeFactors } from "../analysis/stroke_factors.ts";
import type { CorpusSequence } from "./feature_pages.ts";

/** Columns that grow row by row. */
const names = ["theta", "length", "pen", "place", "letter", "token", "turn", "x", "height"] as const;

/**
 * What the rows of a corpus are about, gathered sequence by sequence, some 80 bytes a row: what `strokeColumns` tells, the letter that is
 * written, and where the pen is from the first point of the text: `x` to the right, `height` upwards, both in canvas heights. `turn` is the
 * change of direction from the movement before, more than 0 clockwise as seen. Without WORD tokens a word ends where attention comes to a
 * space.
 */
export class RowColumns {
  readonly #tokenizer: StrokeTokenizer;
  readonly #columns = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<(typeof names)[number], number[]>;
  /** Characters that texts have, each with its number by order of appearance. */
  readonly #letters = new Map<string, number>();

  constructor(tokenizer: StrokeTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Adds rows of a sequence: the places that count. */
  add({ tokens, text, letters }: CorpusSequence, places: readonly number[]): void {
    const tokenizer = this.#tokenizer;
    const characters = [...text];
    const words = tokenizer.wordToken === null ? wordsOf(letters, { characters }) : undefined;
    const { theta, length, pen, place, token } = strokeColumns(tokens, { tokenizer, words });
    const { x, height, turn } = penColumns(tokens, { tokenizer, theta });
    const columns = { theta, length, pen, place, token, turn, x, height };
    for (const at of places) {
      for (const [name, values] of Object.entries(columns)) this.#columns[name as keyof typeof columns].push(values[at]!);
      const letter = characters[letters[at] ?? -1];
      this.#columns.letter.push(letter === undefined ? Number.NaN : this.#letterNumber(letter));
    }
  }

  /** Everything that a feature may be tuned to. */
  factors(): Factor[] {
    const { turn, x, height, letter, ...stroke } = this.#columns;
    const labels = [...this.#letters.keys()].sort();
    const numbers = new Map([...this.#letters].map(([name, number]) => [number, labels.indexOf(name)]));
    const sorted = letter.map((number) => numbers.get(number) ?? Number.NaN);
    return [
      ...strokeFactors({ ...stroke, letter: sorted }, { tokens: strokeTokenClasses, letters: labels }),
      { name: "turn", kind: "angle", values: turn },
      { name: "x", kind: "scale", values: x },
      { name: "height", kind: "scale", values: height },
    ];
  }

  #letterNumber(letter: string): number {
    const known = this.#letters.get(letter) ?? this.#letters.size;
    this.#letters.set(letter, known);
    return known;
  }
}

/** Which word each token writes, by the letter that it writes; −1 in the gap between two, and where there is no letter. */
function wordsOf(letters: readonly number[], { characters }: { readonly characters: readonly string[] }): number[] {
  let word = 0;
  const words = characters.map((character, at) => {
    if (character !== " ") return word;
    if (characters[at - 1] !== " ") word++;
    return -1;
  });
  return letters.map((letter) => words[letter] ?? -1);
}

/** Where the pen is after each token, and how it turned. */
function penColumns(
  tokens: readonly number[],
  { tokenizer, theta }: { readonly tokenizer: StrokeTokenizer; readonly theta: ArrayLike<number> },
): Record<"x" | "height" | "turn", Float64Array> {
  const column = (): Float64Array => new Float64Array(tokens.length).fill(Number.NaN);
  const columns = { x: column(), height: column(), turn: column() };
  let [next, x, y, last] = [0, 0, 0, Number.NaN];
  const segments = tokenizer.segments(tokens).filter(({ malformed }) => !malformed);
  for (let i = 0; i < tokens.length; i++) {
    if (Number.isNaN(theta[i]!)) continue; // no ink
    const segment = segments[next];
    const isLength = segment?.radiusIndex === i;
    if (isLength) {
      [x, y] = segment.to;
      next++;
    }
    columns.x[i] = x;
    columns.height[i] = 0 - y; // y points down in data; 0 − 0 is no −0
    columns.turn[i] = angleBetween(last, theta[i]!);
    if (isLength) last = theta[i]!;
  }
  return columns;
}

/** From one direction to another, in radians from −π to π. */
function angleBetween(from: number, to: number): number {
  return Math.atan2(Math.sin(to - from), Math.cos(to - from));
}
