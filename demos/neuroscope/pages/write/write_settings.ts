import { numberIn, type Range, readWriting, type Writing, writingRanges } from "../../app/writing.ts";

/** How the page writes and shows, all of it in the link. */
export interface WriteSettings extends Writing {
  /** Write as if no text were given. */
  readonly withoutText: boolean;
  /** How often each word was asked for anew, by its place. */
  readonly again: ReadonlyMap<number, number>;
  /** Of the pen: 1 is as fast as a hand. */
  readonly speed: number;
  /** Of the pen's line, in thousandths of a canvas height. */
  readonly width: number;
  /** Hundredths by which a letter's top leans over for each height. */
  readonly slant: number;
  /** Show curves through the movements' ends instead of the movements. */
  readonly smooth: boolean;
}

/** A setting with a slider. */
export type RangeName = "temperature" | "topK" | "speed" | "width" | "slant";

/** The least, the most and the usual of what can be set by a slider. */
export const ranges: Readonly<Record<RangeName, Range>> = {
  ...writingRanges,
  speed: { least: 0.25, most: 4, step: 0.25, usual: 1 },
  width: { least: 4, most: 28, step: 1, usual: 12 },
  slant: { least: -30, most: 50, step: 5, usual: 0 },
};

/** Reads a link's parameters. What is missing or makes no sense is as usual. */
export function settingsOf(params: URLSearchParams): WriteSettings {
  return {
    ...readWriting(params),
    withoutText: params.get("off") === "1",
    again: readAgain(params.get("again") ?? ""),
    speed: numberIn(params, "speed", ranges.speed),
    width: numberIn(params, "width", ranges.width),
    slant: numberIn(params, "slant", ranges.slant),
    smooth: params.get("smooth") !== "0",
  };
}

/** `2:1,4:3` as a map. */
function readAgain(text: string): Map<number, number> {
  const pairs = text
    .split(",")
    .map((pair) => pair.split(":").map(Number) as [number, number])
    .filter(([place, times]) => Number.isInteger(place) && place >= 0 && Number.isInteger(times) && times > 0);
  return new Map(pairs.slice(0, 100));
}

/** A map as {@link settingsOf} reads it; null of an empty one. */
export function againText(again: ReadonlyMap<number, number>): string | null {
  return again.size > 0 ? [...again].map(([place, times]) => `${place}:${times}`).join() : null;
}

/** A seed for the `times`-th new writing of a word. Spread over all seeds, so that neighbours of the first one stay other writings. */
export function seedAgain(seed: number, times: number): number {
  return (seed + times * 0x9e37_79b1) >>> 0;
}
