import { firstSettings } from "../../engine/opening.ts";

/** How the page writes and shows, all of it in the link. */
export interface WriteSettings {
  readonly text: string;
  readonly seed: number;
  readonly temperature: number;
  /** 0 for all. */
  readonly topK: number;
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
export const ranges: Readonly<
  Record<RangeName, { readonly least: number; readonly most: number; readonly step: number; readonly usual: number }>
> = {
  temperature: { least: 0, most: 1.5, step: 0.05, usual: firstSettings.temperature },
  topK: { least: 0, most: 100, step: 1, usual: firstSettings.topK },
  speed: { least: 0.25, most: 4, step: 0.25, usual: 1 },
  width: { least: 4, most: 28, step: 1, usual: 12 },
  slant: { least: -30, most: 50, step: 5, usual: 0 },
};

const LARGEST_SEED = 0xffff_ffff;

/** Reads a link's parameters. What is missing or makes no sense is as usual. */
export function settingsOf(params: URLSearchParams): WriteSettings {
  const inRange = (name: RangeName): number => {
    const { least, most, usual } = ranges[name];
    const value = Number(params.get(name) ?? Number.NaN);
    return value >= least && value <= most ? value : usual;
  };
  const seed = Number(params.get("seed") ?? Number.NaN);
  return {
    text: (params.get("text") ?? firstSettings.text).slice(0, 400),
    seed: Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED ? seed : firstSettings.seed,
    temperature: inRange("temperature"),
    topK: inRange("topK"),
    withoutText: params.get("off") === "1",
    again: readAgain(params.get("again") ?? ""),
    speed: inRange("speed"),
    width: inRange("width"),
    slant: inRange("slant"),
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

/** A map as {@link settingsOf} reads it. */
export function againText(again: ReadonlyMap<number, number>): string {
  return [...again].map(([place, times]) => `${place}:${times}`).join();
}

/** A seed for the `times`-th new writing of a word. Spread over all seeds, so that neighbours of the first one stay other writings. */
export function seedAgain(seed: number, times: number): number {
  return (seed + times * 0x9e37_79b1) >>> 0;
}
