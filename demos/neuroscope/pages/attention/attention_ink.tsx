import type { InkSegment } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { segmentPaths } from "../../ink/segment_paths.ts";
import type { Focus } from "./focus.ts";

/** Props of {@link AttentionInk}. */
export interface AttentionInkProps {
  readonly segments: readonly InkSegment[];
  /** How much each movement glows, from 0 to 1; none where nothing is looked at. */
  readonly glow: ArrayLike<number> | undefined;
  /** The letter of each movement, for two colours in turn. */
  readonly path: readonly number[] | undefined;
  /** Where the chosen movement looks in its own ink, from 0 to 1 each: drawn as arcs. */
  readonly arcs: ArrayLike<number> | undefined;
  /** Leave room for arcs over the ink. */
  readonly hasArcs?: boolean;
  readonly focus: Focus;
  readonly label: string;
  readonly onHover?: (segment: number | null) => void;
  readonly onChoose?: (segment: number) => void;
}

/** Arcs beyond these would only be a haze. */
const MOST_ARCS = 14;
const LEAST_SHARE = 0.015;
/** Room for them over the ink, in canvas heights. */
const ARC_ROOM = 0.08;
/** Units of the picture a canvas height; widths in the style sheet are in them. */
const UNITS = 1000;
/** Room around the ink, and the least paper, so that a word does not jump in size with its first movements. */
const MARGIN = 0.03;
const LEAST_WIDTH = 0.6;
const LEAST_HEIGHT = 0.24;

/** Ink by its movements: each can be pointed at, and glows by how much it attends. */
export function AttentionInk({ segments, glow, path, arcs, hasArcs = false, focus, label, onHover, onChoose }: AttentionInkProps): VNode {
  const paths = useMemo(() => segmentPaths(segments, { smooth: true, unit: UNITS }), [segments]);
  const drawn = segments.map((segment, i) => ({ segment, i })).filter(({ segment }) => segment.drawn);
  const box = boxOf(segments, { over: hasArcs ? ARC_ROOM : 0 });
  const chosen = focus?.kind === "segment" ? focus.index : undefined;
  const isLit = glow !== undefined;
  const chosenSegment = chosen === undefined ? undefined : segments[chosen];
  return (
    <svg
      class={`attention-ink${isLit ? " is-lit" : ""}`}
      viewBox={box.map((value) => Math.round(UNITS * value)).join(" ")}
      role="img"
      aria-label={label}
      onPointerLeave={() => onHover?.(null)}
    >
      <g class="attention-ink-base">
        {drawn.map(({ i }) => (
          <path key={i} d={paths[i]!.d} class={`${path ? `turn-${path[i]! % 2}` : ""}${paths[i]!.dot ? " is-dot" : ""}`} />
        ))}
      </g>
      {isLit && (
        <g class="attention-ink-glow">
          {drawn
            .filter(({ i }) => glow[i]! > 0.01)
            .map(({ i }) => (
              <path key={i} d={paths[i]!.d} style={glowing(glow[i]!, paths[i]!.dot !== null)} />
            ))}
        </g>
      )}
      {chosenSegment && arcs && <g class="attention-arcs">{arcsOf(segments, arcs, chosenSegment)}</g>}
      {chosenSegment && (
        <>
          <path d={paths[chosen!]!.d} class={chosenSegment.drawn ? "attention-ink-chosen" : "attention-ink-chosen is-up"} />
          <circle cx={UNITS * chosenSegment.to[0]} cy={UNITS * chosenSegment.to[1]} r={11} class="attention-ink-pen" />
        </>
      )}
      {onHover && (
        <g class="attention-ink-hits">
          {drawn.map(({ i }) => (
            // biome-ignore lint/a11y/noStaticElementInteractions: the slider below reaches every movement by keyboard
            <path key={i} d={paths[i]!.d} data-segment={i} onPointerEnter={() => onHover(i)} onClick={() => onChoose?.(i)} />
          ))}
        </g>
      )}
    </svg>
  );
}

/** The look of a movement that attends so much: more of the colour, and a wider line. */
function glowing(share: number, isDot: boolean): { stroke: string; strokeWidth: number } {
  const strength = Math.sqrt(share);
  return {
    stroke: `color-mix(in oklab, var(--glow) ${Math.round(100 * strength)}%, var(--ink-faint))`,
    strokeWidth: 9 + 8 * strength + (isDot ? 8 : 0),
  };
}

/** Where a picture of ink lies, with some room: x, y, width, height in canvas heights. `over` is room beyond that above the ink. */
export function boxOf(
  segments: readonly InkSegment[],
  { over = 0 }: { readonly over?: number } = {},
): [x: number, y: number, width: number, height: number] {
  const points = segments.filter(({ drawn }) => drawn).flatMap(({ from, to }) => [from, to]);
  const of = (axis: 0 | 1, choose: (a: number, b: number) => number, start: number): number =>
    points.reduce((found, point) => choose(found, point[axis]), start);
  const [left, right] = [of(0, Math.min, 0), of(0, Math.max, LEAST_WIDTH)];
  const bottom = of(1, Math.max, 0.01);
  const top = Math.min(of(1, Math.min, 0), bottom - LEAST_HEIGHT);
  return [left - MARGIN, top - MARGIN - over, right - left + 2 * MARGIN, bottom - top + 2 * MARGIN + over];
}

function arcsOf(segments: readonly InkSegment[], arcs: ArrayLike<number>, from: InkSegment): VNode[] {
  const middle = ({ from: [x1, y1], to: [x2, y2] }: InkSegment): [number, number] => [(x1 + x2) / 2, (y1 + y2) / 2];
  const [x, y] = middle(from);
  return Array.from(arcs, (share, i) => ({ share, i }))
    .filter(({ share, i }) => share >= LEAST_SHARE && segments[i] !== from)
    .sort((a, b) => b.share - a.share)
    .slice(0, MOST_ARCS)
    .map(({ share, i }) => {
      const [tx, ty] = middle(segments[i]!);
      const rise = 0.06 + 0.22 * Math.abs(tx - x);
      const [a, control, b] = [
        [x, y],
        [(x + tx) / 2, Math.min(y, ty) - rise],
        [tx, ty],
      ].map((place) => place.map((value) => (UNITS * value).toFixed(1)).join(" "));
      return (
        <path key={i} d={`M${a}Q${control} ${b}`} style={{ strokeOpacity: 0.25 + 0.75 * Math.sqrt(share), strokeWidth: 3 + 10 * share }} />
      );
    });
}
