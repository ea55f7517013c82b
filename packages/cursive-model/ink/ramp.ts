/** Colours from faint to strong, darker as they get stronger: ColorBrewer's orange and purple, which the colour-blind tell apart. */
const oranges = ["#f0b46c", "#e08214", "#b35806", "#7f3b08"];
const purples = ["#b2abd2", "#8073ac", "#542788", "#2d004b"];
/** The same for dark ground, where what is stronger has to be lighter. */
const orangesOnDark = ["#8f4f12", "#cf7a14", "#fdb863", "#ffe9c9"];
const purplesOnDark = ["#5f4b8f", "#8f80c4", "#bdb2e6", "#ece7ff"];

/**
 * The colour of a strength from −1 to 1; beyond, that of the end. Orange above 0, purple below; what is stronger stands out more from the
 * ground, which is light unless said otherwise.
 *
 * @example
 * ```ts
 * strengthColour(0.5); // "#ca6d0d"
 * ```
 */
export function strengthColour(strength: number, { ground = "light" }: { readonly ground?: "light" | "dark" } = {}): string {
  const [above, below] = ground === "light" ? [oranges, purples] : [orangesOnDark, purplesOnDark];
  return mixed(strength < 0 ? below : above, Math.abs(strength));
}

/** The colour at a place from 0 to 1 along a ramp of at least two colours, `#rrggbb` each; beyond, that of the end. */
export function mixed(stops: readonly string[], at: number): string {
  const place = Math.min(1, Math.max(0, at)) * (stops.length - 1);
  const from = Math.min(stops.length - 2, Math.floor(place));
  const [low, high] = [channels(stops[from]!), channels(stops[from + 1]!)];
  const between = low.map((channel, i) => Math.round(channel + (place - from) * (high[i]! - channel)));
  return `#${between.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}
