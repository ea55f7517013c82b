import { TensorError } from "@cursive/tensor";

/** Options of {@link createHtml}. */
export interface CreateHtmlOptions {
  /** The value that gets the full colour. Default: the greatest magnitude and 0.001. */
  readonly maxValue?: number;
  /** How much colour that is, 0 to 1. Default 0.5. */
  readonly saturation?: number;
  /** Strings without a value are left white, values without a string left out. Default: as many of one as of the other. */
  readonly allowDifferentLength?: boolean;
}

/** Hue of values from 0 up, of 1. */
const BLUE = 0.66;

/**
 * The notebook's `create_html`: a `<span>` for each string, the bluer the greater its value. Strings are escaped, so that a picture in one would
 * be shown as its source. Below 0 the notebook's colour is none that browsers know (`#ff17e17e`): it was made for activations, and this gives the
 * same text. For strokes there is `activationSvg`.
 *
 * @example
 * ```ts
 * createHtml(["θ 12°", "r 0.07"], [0, 2.5]); // '<span style="background-color: #ffffff; …">θ&nbsp;12°</span><span …'
 * ```
 * @throws TensorError for lists of different lengths.
 */
export function createHtml(
  strings: readonly string[],
  values: ArrayLike<number>,
  { maxValue, saturation = 0.5, allowDifferentLength = false }: CreateHtmlOptions = {},
): string {
  const numbers = Array.from(values);
  if (!allowDifferentLength && strings.length !== numbers.length)
    throw new TensorError(`Expected a value for each of ${strings.length} strings but found ${numbers.length}`);
  const scale = maxValue ?? numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0) + 1e-3;
  return strings
    .map((text, i) => {
      const color = colorOf(((numbers[i] ?? 0) / scale) * saturation || 0); // all are 0 where their scale is
      return `<span style="background-color: ${color}; border: 1px solid lightgray; font-size: 16px; border-radius: 3px;">${escaped(text)}</span>`;
    })
    .join("");
}

/**
 * The notebook's `basic_token_vis_make_str`: the range of the values in a heading, and {@link createHtml} of them.
 *
 * @param options `maxVal`: the value that gets the full colour. Default: the greatest.
 * @example
 * ```ts
 * const { tokens } = await pages.sequence(card.sequence);
 * const values = tokens.map((_, place) => card.values[card.positions.indexOf(place)] ?? 0);
 * const html = tokenVis(tokens.map((token) => tokenMeaning(token, tokenizer)), values, { maxVal: 30 });
 * ```
 * @throws TensorError for lists of different lengths, and empty ones.
 */
export function tokenVis(strings: readonly string[], values: ArrayLike<number>, options: { readonly maxVal?: number } = {}): string {
  const numbers = Array.from(values);
  if (numbers.length === 0) throw new TensorError("Expected values but found none");
  const [most, least] = [numbers.reduce((a, b) => Math.max(a, b)), numbers.reduce((a, b) => Math.min(a, b))];
  const { maxVal = most } = options;
  const range = `<h4>Max Range <b>${fourPlaces(most)}</b> Min Range: <b>${fourPlaces(least)}</b></h4>`;
  return `${range}<h4>Set Max Range <b>${fourPlaces(maxVal)}</b></h4>${createHtml(strings, numbers, { maxValue: maxVal })}`;
}

/** Python's `html.escape`, and what the notebook makes of white space. */
function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#x27;")
    .replaceAll("\n", "↩<br/>")
    .replaceAll("\t", "→&emsp;")
    .replaceAll(" ", "&nbsp;");
}

/** Python's `colorsys.hsv_to_rgb` at full brightness, cut to whole numbers: blue from 0 up; below 0 the notebook's hue is 0. */
function colorOf(saturation: number): string {
  const hue = saturation < 0 ? 0 : BLUE;
  const sector = Math.floor(6 * hue); // 0 or 3
  const none = 1 - saturation;
  const falling = 1 - saturation * (6 * hue - sector);
  const channels = sector === 0 ? [1, none, none] : [none, falling, 1];
  return `#${channels.map((channel) => Math.trunc(255 * channel).toString(16).padStart(2, "0")).join("")}`; // biome-ignore format: one line
}

/** Python's `:.4f`, which rounds halves to even; `toFixed` rounds them up. Only odd multiples of 1/32 are halves here. */
function fourPlaces(value: number): string {
  if (!Number.isInteger(32 * value) || (32 * value) % 2 === 0) return value.toFixed(4);
  const below = Math.floor(1e4 * value);
  return ((below % 2 === 0 ? below : below + 1) / 1e4).toFixed(4);
}
