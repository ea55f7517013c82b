import { curveControls, type InkSegment, type Position } from "@cursive/cursive-model";

/** A movement of the pen, ready to be drawn. */
export interface SegmentPath {
  /** As SVG has it, for this movement alone. */
  readonly d: string;
  /** A path without length where the pen makes a dot in this movement: round ends make it visible. */
  readonly dot: string | null;
}

/** Strokes shorter than this are dots: as lines of a usual width nobody would see them. In canvas heights. */
const DOT_LENGTH = 0.02;

/**
 * Paths of movements, each by itself, so that each can have a colour of its own. Smooth ones are curves through the movements' ends, which is
 * for looking at: what is measured are the movements.
 *
 * @param options.unit units of the picture a canvas height
 * @example
 * ```ts
 * segmentPaths(segments, { smooth: true, unit: 1000 }).map(({ d }) => d).join("");
 * ```
 */
export function segmentPaths(
  segments: readonly InkSegment[],
  options: { readonly smooth: boolean; readonly unit: number },
): readonly SegmentPath[] {
  const { smooth, unit } = options;
  const spelled = (...places: readonly Position[]): string =>
    places.map(([x, y]) => `${Math.round(10 * unit * x) / 10} ${Math.round(10 * unit * y) / 10}`).join(" ");
  const paths = segments.map(({ from, to, pen, drawn, malformed }, i): SegmentPath => {
    // Set down and lifted at once.
    const touches = pen === 1 && !drawn && !malformed && i > 0 && segments[i + 1]?.drawn !== true;
    return { d: `M${spelled(from)}L${spelled(to)}`, dot: touches ? `M${spelled(to)}L${spelled(to)}` : null };
  });
  for (const { first, places } of strokesOf(segments)) {
    const isDot = lengthOf(places) < DOT_LENGTH;
    for (let at = 1; at < places.length; at++) {
      const [from, to] = [places[at - 1]!, places[at]!];
      const d = smooth ? `M${spelled(from)}C${spelled(...curveControls(places, at), to)}` : paths[first + at - 1]!.d;
      paths[first + at - 1] = { d, dot: isDot && at === 1 ? `M${spelled(to)}L${spelled(to)}` : null };
    }
  }
  return paths;
}

/** What the pen draws without leaving the paper: its places, the number of the movement from the first to the second. */
function strokesOf(segments: readonly InkSegment[]): { readonly first: number; readonly places: Position[] }[] {
  const strokes: { first: number; places: Position[] }[] = [];
  for (const [i, { from, to, drawn }] of segments.entries()) {
    if (!drawn) continue;
    if (i > 0 && segments[i - 1]!.drawn) strokes.at(-1)!.places.push(to);
    else strokes.push({ first: i, places: [from, to] });
  }
  return strokes;
}

function lengthOf(places: readonly Position[]): number {
  return places.slice(1).reduce((sum, [x, y], i) => sum + Math.hypot(x - places[i]![0], y - places[i]![1]), 0);
}
