import type { InkSegment } from "@cursive/cursive-model";
import type { VNode } from "preact";
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
  readonly focus: Focus;
  readonly label: string;
  readonly onHover?: (segment: number | null) => void;
  readonly onChoose?: (segment: number) => void;
}

/** Arcs beyond these would only be a haze. */
const MOST_ARCS = 14;
const LEAST_SHARE = 0.015;

/** Ink by its movements: each can be pointed at, and glows by how much it attends. */
export function AttentionInk({ segments, glow, path, arcs, focus, label, onHover, onChoose }: AttentionInkProps): VNode {
  const drawn = segments.map((segment, i) => ({ segment, i })).filter(({ segment }) => segment.drawn);
  const box = boxOf(segments);
  const chosen = focus?.kind === "segment" ? focus.index : undefined;
  const line = ({ from, to }: InkSegment): { x1: number; y1: number; x2: number; y2: number } => ({
    x1: from[0],
    y1: from[1],
    x2: to[0],
    y2: to[1],
  });
  const isLit = glow !== undefined;
  const chosenSegment = chosen === undefined ? undefined : segments[chosen];
  return (
    <svg
      class={`attention-ink${isLit ? " is-lit" : ""}`}
      viewBox={box.join(" ")}
      role="img"
      aria-label={label}
      onPointerLeave={() => onHover?.(null)}
    >
      <g class="attention-ink-base">
        {drawn.map(({ segment, i }) => (
          <line key={i} {...line(segment)} class={path ? `turn-${path[i]! % 2}` : ""} />
        ))}
      </g>
      {isLit && (
        <g class="attention-ink-glow">
          {drawn
            .filter(({ i }) => glow[i]! > 0.01)
            .map(({ segment, i }) => (
              <line key={i} {...line(segment)} style={{ strokeOpacity: Math.sqrt(glow[i]!), strokeWidth: 0.012 + 0.022 * glow[i]! }} />
            ))}
        </g>
      )}
      {chosenSegment && arcs && <g class="attention-arcs">{arcsOf(segments, arcs, chosenSegment)}</g>}
      {chosenSegment && (
        <>
          <line {...line(chosenSegment)} class={chosenSegment.drawn ? "attention-ink-chosen" : "attention-ink-chosen is-up"} />
          <circle cx={chosenSegment.to[0]} cy={chosenSegment.to[1]} r={0.013} class="attention-ink-pen" />
        </>
      )}
      {onHover && (
        <g class="attention-ink-hits">
          {drawn.map(({ segment, i }) => (
            // biome-ignore lint/a11y/noStaticElementInteractions: the slider below reaches every movement by keyboard
            <line key={i} {...line(segment)} data-segment={i} onPointerEnter={() => onHover(i)} onClick={() => onChoose?.(i)} />
          ))}
        </g>
      )}
    </svg>
  );
}

/** Where a picture of ink lies, with some room: x, y, width, height in canvas heights. */
export function boxOf(segments: readonly InkSegment[]): [x: number, y: number, width: number, height: number] {
  const points = segments.filter(({ drawn }) => drawn).flatMap(({ from, to }) => [from, to]);
  const of = (axis: 0 | 1, choose: (a: number, b: number) => number, start: number): number =>
    points.reduce((found, point) => choose(found, point[axis]), start);
  const [left, right] = [of(0, Math.min, 0), of(0, Math.max, 0.6)];
  const [top, bottom] = [of(1, Math.min, -0.3), of(1, Math.max, 0.05)];
  const room = 0.07;
  return [left - room, top - room - 0.06, right - left + 2 * room, bottom - top + 2 * room + 0.06];
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
      const d = `M${x.toFixed(4)} ${y.toFixed(4)}Q${((x + tx) / 2).toFixed(4)} ${(Math.min(y, ty) - rise).toFixed(4)} ${tx.toFixed(4)} ${ty.toFixed(4)}`;
      return <path key={i} d={d} style={{ strokeOpacity: 0.25 + 0.75 * Math.sqrt(share), strokeWidth: 0.004 + 0.016 * share }} />;
    });
}
