import { coordinate, type Position, pathData } from "./path.ts";

/** What is shown of a picture, in canvas heights. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** How a picture as a whole is written. */
export interface DocumentOptions {
  /** Pixels a canvas height. Default: no size of its own, only a view box. */
  scale?: number;
  /** Colour behind the picture. Default: none. */
  background?: string;
  /** What the picture is, for those who cannot see it. */
  title?: string;
  /** More about it. */
  description?: string;
}

/** Text as it may stand in XML: markup escaped, characters that XML cannot hold replaced. */
export function escaped(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text
    .replace(/[&<>"']/g, (character) => entities[character]!)
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "\u{FFFD}");
}

/** The cross that marks a malformed pair, as path data. */
export function crossData([x, y]: Position, strokeWidth: number): string {
  const arm = 2 * strokeWidth;
  const falling = pathData([
    [x - arm, y - arm],
    [x + arm, y + arm],
  ]);
  const rising = pathData([
    [x - arm, y + arm],
    [x + arm, y - arm],
  ]);
  return falling + rising;
}

/** The cross that marks a malformed pair. */
export function cross(position: Position, strokeWidth: number): string {
  return `<path d="${crossData(position, strokeWidth)}" stroke="red" stroke-width="${coordinate(strokeWidth)}"/>`;
}

/** The least box around positions; without any, one line of writing high. */
export function boxAround(positions: readonly Position[]): Box {
  if (positions.length === 0) return { left: 0, top: -0.3, right: 0.3, bottom: 0.1 };
  const box = {
    left: Number.POSITIVE_INFINITY,
    top: Number.POSITIVE_INFINITY,
    right: Number.NEGATIVE_INFINITY,
    bottom: Number.NEGATIVE_INFINITY,
  };
  for (const [x, y] of positions) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

/** A box with room around it. */
export function grown({ left, top, right, bottom }: Box, by: number): Box {
  return { left: left - by, top: top - by, right: right + by, bottom: bottom + by };
}

/** A whole SVG document that shows a box. */
export function documentOf(box: Box, body: string, { scale, background, title, description }: DocumentOptions): string {
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const viewBox = [box.left, box.top, width, height].map(coordinate).join(" ");
  const size = scale === undefined ? "" : ` width="${coordinate(width * scale)}" height="${coordinate(height * scale)}"`;
  const [x, y, w, h] = viewBox.split(" ");
  const behind = background === undefined ? "" : `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="${escaped(background)}"/>\n`;
  const about = (title ? `<title>${escaped(title)}</title>\n` : "") + (description ? `<desc>${escaped(description)}</desc>\n` : "");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${viewBox}"${size} role="img">\n${about}${behind}${body}\n</svg>\n`;
}
