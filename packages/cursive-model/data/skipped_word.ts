/** Why a word of a bank is left out. */
export type SkipReason = keyof typeof skipReasons;

/** The reasons, each with what it means. */
export const skipReasons = {
  malformed: "not a word with metadata and points",
  "wrong counts": "not as many points or strokes as its metadata say",
  "not finite": "a coordinate that is no finite number",
  "empty ink": "no point with the pen down",
  "no pen-up": "the ink does not end with the pen up",
  "unknown characters": "characters that the alphabet lacks",
  "absurd size": "larger, smaller or longer than a word can be",
  duplicate: "the same word again",
} as const;

/** A word that was left out. */
export interface SkippedWord {
  /** Which one of its file, from 0. */
  readonly index: number;
  /** What it should say, if it tells. */
  readonly text: string | null;
  readonly reason: SkipReason;
  /** What was expected and what was found, in one line. */
  readonly detail: string;
}
