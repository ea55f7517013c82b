import { type InkSegment, type Position, pathData } from "@cursive/cursive-model";

/** Ink ready to be drawn: small enough to be sent often. */
export interface DrawnInk {
  readonly text: string;
  /** A path for SVG, in canvas heights, y down. */
  readonly path: string;
  readonly box: InkBox;
}

/** The paper that ink takes, in canvas heights. */
export type InkBox = readonly [left: number, top: number, right: number, bottom: number];

/** Room for a short word, so that scribbles do not fill the picture: its width, and how far up and down. */
const LEAST_WIDTH = 0.5;
const [LEAST_TOP, LEAST_BOTTOM] = [-0.27, 0.1];
const MARGIN = 0.03;
/** Beyond this much paper a picture would show nothing any more: an early model runs away. */
const MOST_WIDTH = 3;

/** Ink as smooth strokes. */
export function drawnInk(text: string, segments: readonly InkSegment[]): DrawnInk {
  const strokes: Position[][] = [];
  let isDown = false;
  for (const { from, to, drawn } of segments) {
    if (drawn && isDown) strokes.at(-1)!.push(to);
    else if (drawn) strokes.push([from, to]);
    isDown = drawn;
  }
  return { text, path: strokes.map((stroke) => pathData(stroke, { smooth: true })).join(""), box: boxOf(segments) };
}

/** The paper around drawn segments, ink that is narrower than a short word in its middle. */
export function boxOf(segments: readonly InkSegment[]): InkBox {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, LEAST_TOP, Number.NEGATIVE_INFINITY, LEAST_BOTTOM];
  for (const { from, to, drawn } of segments) {
    if (!drawn) continue;
    for (const [x, y] of [from, to]) {
      left = Math.min(left, x);
      top = Math.min(top, y);
      right = Math.max(right, x);
      bottom = Math.max(bottom, y);
    }
  }
  if (left > right) [left, right] = [0, 0];
  const spare = Math.max(0, LEAST_WIDTH - (right - left)) / 2;
  const [l, t] = [Math.max(left - spare, -MOST_WIDTH / 2), Math.max(top, -1)];
  return [l - MARGIN, t - MARGIN, Math.min(right + spare, l + MOST_WIDTH) + MARGIN, Math.min(bottom, 1) + MARGIN];
}
