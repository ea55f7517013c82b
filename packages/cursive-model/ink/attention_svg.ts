import type { HeadAttention, TextAttention } from "../attention_maps/measure_attention.ts";
import type { InkSegment, StrokeTokenizer } from "../data/tokenizer.ts";
import { boxAround, documentOf, escaped } from "./document.ts";
import { coordinate, pathData } from "./path.ts";
import { mixed } from "./ramp.ts";

/** How a picture of attention is drawn. */
export interface AttentionSvgOptions {
  readonly tokenizer: StrokeTokenizer;
  /** A line below the title, such as the model's name. */
  readonly note?: string;
}

/** Light to dark, which needs no colour to be told apart: ColorBrewer's YlGnBu, from near white. */
const ramp = ["#fcfcf2", "#c7e9b4", "#41b6c4", "#225ea8", "#081d58"];
/** Letters take turns. */
const inks = ["#0751b5", "#e15e00"];
const [dark, faint] = ["#22262b", "#5b6168"];

/** All sizes are pixels of a picture as wide as a telephone; wider, everything grows alike. */
const WIDTH = 360;
const MARGIN = 12;
const GUTTER = 20;
const BETWEEN = 14;
/** Shades of a map: more could not be told apart. */
const LEVELS = 24;
/** Columns of a map at most: ink of more movements has several a column. */
const COLUMNS = 72;

/**
 * A text's cross-attention as a picture: a map for each head, letters down and the ink's movements across, the share of attention as shade.
 * Above them the ink, each letter in the other colour than the one before, as far as attention tells them apart.
 *
 * A movement's shade is the mean over its two tokens, direction and length. Shades follow the root of the share: even attention to fifty
 * places would otherwise be invisible. The last row is padding, all of it together.
 *
 * @example
 * ```ts
 * const svg = attentionSvg(await measureAttention(model, { text, tokens, tokenizer }), { tokenizer, note: "tiny-001" });
 * ```
 */
export function attentionSvg(attention: TextAttention, { tokenizer, note = "" }: AttentionSvgOptions): string {
  const { text, characters, tokens, path } = attention;
  const heads = attention.heads.filter((head) => head.attention === "cross_attn");
  const segments = tokenizer.segments(tokens).filter(({ malformed }) => !malformed);
  const parts: string[] = [];
  let y = MARGIN + 14;
  parts.push(label("Where each head looks in the text", [MARGIN, y], { size: 15, weight: 700 }));
  for (const line of linesOf(`“${shortened(text, 50)}”`, note)) {
    y += 15;
    parts.push(label(line, [MARGIN, y], { fill: faint }));
  }
  const ink = inkStrip(segments, { path, top: y + 10 });
  parts.push(ink.svg);
  y = ink.bottom + 12;
  parts.push(scale(y));
  y += 50;

  const row = characters.length > 16 ? 10 : 12;
  const height = row * (characters.length + 1) + 3;
  const panelWidth = heads[1]?.layer === heads[0]?.layer ? (WIDTH - 2 * MARGIN - BETWEEN) / 2 : WIDTH - 2 * MARGIN;
  let layer = -1;
  let column = 0;
  for (const head of heads) {
    if (head.layer !== layer || column === 2) {
      if (layer >= 0) y += height + 30;
      column = 0;
    }
    layer = head.layer;
    const left = MARGIN + column * (panelWidth + BETWEEN);
    parts.push(panel(head, { left, top: y, width: panelWidth, row, characters, columns: columnsOf(segments) }));
    column++;
  }
  y += height + 32;
  parts.push(label("Down: letters, then all padding. Across: movements of the pen, first to", [MARGIN, y], { fill: faint }));
  parts.push(label("last. L1H2 is head 2 of layer 1, counted from 0.", [MARGIN, y + 13], { fill: faint }));
  const body = `<g font-family="Atkinson Hyperlegible, sans-serif">${parts.join("\n")}</g>`;
  const description = heads.map((head) => `${headName(head)}: ${figuresOf(head)}`).join("; ");
  const box = { left: 0, top: 0, right: WIDTH, bottom: y + 13 + MARGIN };
  return documentOf(box, body, { scale: 2, background: "white", title: `Cross-attention over “${text}”`, description });
}

/** `L1H2`: head 2 of layer 1, both counted from 0 as hooks are. */
export function headName({ layer, head }: { readonly layer: number; readonly head: number }): string {
  return `L${layer}H${head}`;
}

function figuresOf({ diagonality, padMass }: HeadAttention): string {
  const trend = Number.isNaN(diagonality) ? "–" : diagonality.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
  return `diagonal ${trend} · pad ${Math.round(100 * padMass)}%`;
}

interface PanelOptions {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  /** Height of a letter's row. */
  readonly row: number;
  readonly characters: readonly string[];
  /** The tokens of each column. */
  readonly columns: readonly (readonly number[])[];
}

/** One head's map under its name and figures. */
function panel(head: HeadAttention, { left, top, width, row, characters, columns }: PanelOptions): string {
  const { weights, keys, real } = head.map;
  const [x, wide] = [left + GUTTER, width - GUTTER];
  const cell = wide / Math.max(1, columns.length);
  const share = (tokens: readonly number[], key: number): number =>
    tokens.reduce((sum, token) => sum + weights[token * keys + key]!, 0) / tokens.length;
  const lines = characters.map((_, key) => columns.map((tokens) => share(tokens, key)));
  lines.push(columns.map((tokens) => Array.from({ length: keys - real }, (_, i) => share(tokens, real + i)).reduce((a, b) => a + b, 0)));
  const topOf = (line: number): number => top + line * row + (line === characters.length ? 3 : 0); // padding stands apart
  const shades = new Map<number, string>();
  for (const [line, shares] of lines.entries()) {
    const levels = shares.map((value) => Math.round((LEVELS - 1) * Math.sqrt(Math.min(1, value))));
    for (let start = 0; start < levels.length; ) {
      let end = start + 1;
      while (levels[end] === levels[start]) end++;
      const [from, to] = [x + start * cell, x + end * cell].map(coordinate);
      const area = `M${from} ${coordinate(topOf(line))}H${to}v${row}H${from}z`;
      shades.set(levels[start]!, (shades.get(levels[start]!) ?? "") + area);
      start = end;
    }
  }
  const maps = [...shades].map(([level, d]) => `<path fill="${mixed(ramp, level / (LEVELS - 1))}" d="${d}"/>`).join("");
  const frame = (from: number, high: number): string =>
    `<rect x="${coordinate(x)}" y="${coordinate(from)}" width="${coordinate(wide)}" height="${high}" fill="none" stroke="#c9cdd2" stroke-width="0.6"/>`;
  const names = [...characters.map((character) => (character === " " ? "_" : character)), "pad"].map((name, line) =>
    label(name, [x - 4, topOf(line) + row / 2 + 3.4], {
      size: name === "pad" ? 9 : row - 1,
      anchor: "end",
      fill: name === "pad" ? faint : dark,
    }),
  );
  return [
    label(headName(head), [left + 1, top - 6], { size: 11.5, weight: 700 }),
    label(figuresOf(head), [left + width, top - 6], { anchor: "end", fill: faint }),
    `<g shape-rendering="crispEdges">${maps}</g>`,
    frame(top, row * characters.length) + frame(topOf(characters.length), row),
    ...names,
  ].join("");
}

/** The tokens of each movement, or of several that follow each other where there are too many. */
function columnsOf(segments: readonly InkSegment[]): number[][] {
  const count = Math.min(COLUMNS, segments.length);
  const columns = Array.from({ length: count }, (): number[] => []);
  for (const [i, { thetaIndex, radiusIndex }] of segments.entries())
    for (const token of [thetaIndex, radiusIndex]) if (token !== null) columns[Math.floor((i * count) / segments.length)]!.push(token);
  return columns;
}

/** The ink as wide as the picture, or as high as looks well. */
function inkStrip(
  segments: readonly InkSegment[],
  { path, top }: { readonly path: ArrayLike<number>; readonly top: number },
): { svg: string; bottom: number } {
  const drawn = segments.filter((segment) => segment.drawn);
  const box = boxAround(drawn.flatMap(({ from, to }) => [from, to]));
  const [wide, high] = [Math.max(box.right - box.left, 1e-3), Math.max(box.bottom - box.top, 1e-3)];
  const scale = Math.min((WIDTH - 2 * MARGIN - 4) / wide, 64 / high);
  const placed = ([x, y]: InkSegment["to"]): [number, number] => [
    (WIDTH - wide * scale) / 2 + (x - box.left) * scale,
    top + 2 + (y - box.top) * scale,
  ];
  const lines = inks.map((_, turn) =>
    drawn
      .filter(({ radiusIndex }) => path[radiusIndex!]! % 2 === turn)
      .map(({ from, to }) => pathData([placed(from), placed(to)]))
      .join(""),
  );
  const svg = lines.map((d, turn) => `<path d="${d}" stroke="${inks[turn]}"/>`).join("");
  return { svg: `<g fill="none" stroke-width="2" stroke-linecap="round">${svg}</g>`, bottom: top + 4 + high * scale };
}

/** What shades mean. */
function scale(top: number): string {
  const [left, width] = [MARGIN + 106, WIDTH - 2 * MARGIN - 126];
  const cell = width / LEVELS;
  const cells = Array.from({ length: LEVELS }, (_, level) => {
    const x = coordinate(left + level * cell);
    return `<rect x="${x}" y="${coordinate(top)}" width="${coordinate(cell + 0.3)}" height="9" fill="${mixed(ramp, level / (LEVELS - 1))}"/>`;
  });
  const ticks = [0, 0.1, 0.5, 1].map((share) =>
    label(`${100 * share}%`, [left + Math.sqrt(share) * width, top + 20], { anchor: "middle", fill: faint }),
  );
  return label("share of attention", [MARGIN, top + 9], { fill: faint }) + cells.join("") + ticks.join("");
}

function label(
  text: string,
  [x, y]: readonly [number, number],
  options: { readonly size?: number; readonly weight?: number; readonly anchor?: "middle" | "end"; readonly fill?: string } = {},
): string {
  const { size = 10.5, weight, anchor, fill = dark } = options;
  const looks = `${weight ? ` font-weight="${weight}"` : ""}${anchor ? ` text-anchor="${anchor}"` : ""}`;
  return `<text x="${coordinate(x)}" y="${coordinate(y)}" font-size="${size}" fill="${fill}"${looks}>${escaped(text)}</text>`;
}

/** Both on one line where they fit. */
function linesOf(text: string, note: string): string[] {
  if (note === "") return [text];
  const both = `${text} · ${note}`;
  return both.length <= 58 ? [both] : [text, shortened(note, 58)];
}

function shortened(text: string, most: number): string {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}
