import { readWriting, type Writing } from "../../app/writing.ts";
import { firstSettings } from "../../engine/opening.ts";
import type { RankBy, Show } from "./ranking.ts";

/** Most features that are shown on the ink at once: there is a colour for each. */
export const MOST_PINS = 3;

/** Where the ink in the scope comes from. */
export type InkSource = "model" | "hand" | "drawn";

/** What the scope shows: everything of it is in the link. */
export interface ScopeState extends Writing {
  readonly source: InkSource;
  /** Tokens of ink that was drawn. */
  readonly drawn: readonly number[];
  readonly by: RankBy;
  readonly show: Show;
  /** `own`: each feature's colours go up to its strongest here; `shared`: to the strongest in the whole corpus. */
  readonly scale: "own" | "shared";
  /** Curves through the ends of the movements, which is for looking at; else the movements. */
  readonly smooth: boolean;
  readonly pins: readonly number[];
  /** The feature that alone colours the ink; null for the pinned ones. */
  readonly feature: number | null;
  readonly segment: number | null;
}

/** A feature held at a multiple of its highest activation. */
export interface Held {
  readonly feature: number;
  readonly times: number;
}

/** What the steering tab shows. */
export interface SteerState extends Writing {
  readonly held: readonly Held[];
  /** Hold features at every place, or only where they fire by themselves. */
  readonly reach: "firing" | "everywhere";
  /** Draw the untouched ink faintly behind the steered. */
  readonly ghost: boolean;
  /** As in the scope. */
  readonly smooth: boolean;
}

/** Parameters of a link, as the route has them. */
type Params = Pick<URLSearchParams, "get">;
/** Changes to them; null takes one out. */
type Changes = Record<string, string | number | null>;

/** Reads the scope's part of a link; whatever makes no sense is as if it were not there. */
export function readScope(params: Params): ScopeState {
  return {
    ...readWriting(params),
    source: oneOf(params.get("ink"), ["model", "hand", "drawn"] as const),
    drawn: readTokens(params.get("drawn") ?? ""),
    by: oneOf(params.get("by"), ["specific", "size", "quantile", "loss"] as const),
    show: oneOf(params.get("show"), ["r", "theta", "max"] as const),
    scale: oneOf(params.get("scale"), ["shared", "own"] as const),
    smooth: params.get("smooth") !== "0",
    pins: [...new Set((params.get("pins") ?? "").split(",").flatMap((pin) => wholeNumber(pin) ?? []))].slice(0, MOST_PINS),
    feature: wholeNumber(params.get("f")),
    segment: wholeNumber(params.get("seg")),
  };
}

/** Writes some of the scope's state as a link has it. Defaults are left out. */
export function writeScope(changes: Partial<ScopeState>): Changes {
  const { source, drawn, by, show, scale, smooth, pins, feature, segment, ...writing } = changes;
  return {
    ...writeWriting(writing),
    ...given({
      ink: source && without(source, "model"),
      drawn: drawn && writeTokens(drawn),
      by: by && without(by, "specific"),
      show: show && without(show, "r"),
      scale: scale && without(scale, "shared"),
      smooth: smooth === undefined ? undefined : smooth ? null : 0,
      pins: pins?.join(","),
      f: feature,
      seg: segment,
    }),
  };
}

/** Reads the steering tab's part of a link. */
export function readSteer(params: Params): SteerState {
  const held = (params.get("hold") ?? "").split(",").flatMap((part): Held[] => {
    const [feature, times] = part.split(":");
    const [index, factor] = [wholeNumber(feature ?? ""), number(times ?? "", -LARGEST_MULTIPLE, LARGEST_MULTIPLE)];
    return index === null || factor === null ? [] : [{ feature: index, times: factor }];
  });
  const first = held.filter(({ feature }, i) => held.findIndex((other) => other.feature === feature) === i);
  return {
    ...readWriting(params),
    smooth: params.get("smooth") !== "0",
    held: first,
    reach: oneOf(params.get("at"), ["firing", "everywhere"] as const),
    ghost: params.get("ghost") !== "0",
  };
}

/** Writes some of the steering tab's state as a link has it. */
export function writeSteer({ held, reach, ghost, smooth, ...writing }: Partial<SteerState>): Changes {
  return {
    ...writeWriting(writing),
    ...given({
      hold: held?.map(({ feature, times }) => `${feature}:${Number(times.toPrecision(4))}`).join(","),
      at: reach && without(reach, "firing"),
      ghost: ghost === undefined ? undefined : ghost ? null : 0,
      smooth: smooth === undefined ? undefined : smooth ? null : 0,
    }),
  };
}

/** The greatest multiple of its highest activation that a feature can be held at, either way. */
export const LARGEST_MULTIPLE = 10;

/** Sliders run from −1 to 1: near 0 in small steps, far from it in large ones, to ten times the highest activation either way. */
export function sliderToTimes(position: number): number {
  const size = (1 + LARGEST_MULTIPLE) ** Math.abs(position) - 1;
  return Math.sign(position) * Number(size.toPrecision(3));
}

/** Where a slider stands for a multiple: the inverse of {@link sliderToTimes}. */
export function timesToSlider(times: number): number {
  return (Math.sign(times) * Math.log(1 + Math.abs(times))) / Math.log(1 + LARGEST_MULTIPLE);
}

function writeWriting(writing: Partial<Writing>): Changes {
  const entries = Object.entries(writing) as [keyof Writing, string | number | undefined][];
  const given = entries.filter((entry): entry is [keyof Writing, string | number] => entry[1] !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, without(value, firstSettings[name])]));
}

/** Token ids as text: two digits each to the base of 36, which is enough for any vocabulary here. */
function writeTokens(tokens: readonly number[]): string {
  return tokens.map((token) => token.toString(36).padStart(2, "0")).join("");
}

function readTokens(text: string): number[] {
  return (text.match(/../gs) ?? []).flatMap((digits) => (/^[0-9a-z]{2}$/.test(digits) ? [Number.parseInt(digits, 36)] : []));
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function number(text: string | null, least: number, most: number): number | null {
  const value = text === null || text.trim() === "" ? Number.NaN : Number(text);
  return value >= least && value <= most ? value : null;
}

/** The first is the default. */
function oneOf<const T extends string>(text: string | null, choices: readonly [T, ...T[]]): T {
  return choices.find((choice) => choice === text) ?? choices[0];
}

function without<T>(value: T, usual: T): T | null {
  return value === usual ? null : value;
}

/** Those that are not undefined; empty text is as null. */
function given(changes: Readonly<Record<string, string | number | null | undefined>>): Changes {
  const kept = Object.entries(changes).filter((entry): entry is [string, string | number | null] => entry[1] !== undefined);
  return Object.fromEntries(kept.map(([name, value]) => [name, value === "" ? null : value]));
}
