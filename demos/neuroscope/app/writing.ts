import { firstSettings } from "../engine/opening.ts";

/** What is written, and how its tokens are drawn: all pages read it from the link alike, so that they show the same ink. */
export interface Writing {
  readonly text: string;
  readonly seed: number;
  readonly temperature: number;
  /** Among how many of the likeliest tokens is drawn; 0 for all. */
  readonly topK: number;
}

/** A slider's range and its usual value. */
export interface Range {
  readonly least: number;
  readonly most: number;
  readonly step: number;
  readonly usual: number;
}

/** The ranges of what sliders set of a {@link Writing}. */
export const writingRanges: Readonly<Record<"temperature" | "topK", Range>> = {
  temperature: { least: 0, most: 1.5, step: 0.05, usual: firstSettings.temperature },
  topK: { least: 0, most: 100, step: 1, usual: firstSettings.topK },
};

/** Names random draws: 32 bits. */
export const LARGEST_SEED = 0xffff_ffff;
/** Characters of a link's text that are looked at. */
const MOST_CHARACTERS = 400;

/** Reads what a link says of the writing; what is missing or makes no sense is as usual. An empty text is one. */
export function readWriting(params: Pick<URLSearchParams, "get">): Writing {
  const seed = numberOf(params, "seed");
  return {
    text: (params.get("text") ?? firstSettings.text).slice(0, MOST_CHARACTERS),
    seed: Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED ? seed : firstSettings.seed,
    temperature: numberIn(params, "temperature", writingRanges.temperature),
    topK: numberIn(params, "topK", writingRanges.topK),
  };
}

/** A parameter within a range; its usual value where it is missing, no number, or out of range. */
export function numberIn(params: Pick<URLSearchParams, "get">, name: string, { least, most, usual }: Range): number {
  const value = numberOf(params, name);
  return value >= least && value <= most ? value : usual;
}

function numberOf(params: Pick<URLSearchParams, "get">, name: string): number {
  const text = params.get(name);
  return text === null || text.trim() === "" ? Number.NaN : Number(text);
}
