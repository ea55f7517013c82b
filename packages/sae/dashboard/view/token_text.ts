import type { StrokeTokenizer } from "@cursive/cursive-model";
import { degrees, directionName, spelled } from "./format.ts";

/** What a token means, in words: `direction 142°, down left`; `length 0.034, pen down`; `WORD`. */
export function tokenText(tokenizer: StrokeTokenizer, token: number): string {
  const meaning = tokenizer.meaning(token);
  if (meaning.kind === "radius") return `length ${spelled((meaning.low + meaning.high) / 2)}, pen ${meaning.pen === 1 ? "down" : "up"}`;
  if (meaning.kind !== "theta") return meaning.kind === "unknown" ? `unknown token ${token}` : meaning.kind.toUpperCase();
  const middle = (meaning.low + meaning.high) / 2;
  return `direction ${degrees(middle)}°, ${directionName(middle)}`;
}
