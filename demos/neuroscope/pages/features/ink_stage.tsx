import type { InkSegment } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { type SegmentPath, segmentPaths } from "../../ink/segment_paths.ts";
import { nearestSegment, type PaperBox, X_HEIGHT } from "./ink_box.ts";

/** One colour on a segment. */
export interface Paint {
  /** As CSS has it. */
  readonly colour: string;
  /** From 0 to 1: more of the colour, and a wider line. */
  readonly strength: number;
}

export interface InkStageProps {
  readonly segments: readonly InkSegment[];
  readonly box: PaperBox;
  /** What the picture shows, in words. */
  readonly label: string;
  /** The colours of each segment. Default: ink. */
  readonly paint?: (segment: InkSegment, index: number) => readonly Paint[];
  /** Curves through the segments' ends, instead of the segments. Default: true. */
  readonly smooth?: boolean;
  /** Colours as dots where segments begin, instead of along them. */
  readonly asDots?: boolean;
  /** Segments that are drawn as changed ones. */
  readonly isChanged?: (segment: InkSegment) => boolean;
  /** Other ink, faintly behind. */
  readonly ghost?: readonly InkSegment[];
  readonly selected?: number | null;
  readonly onHover?: (segment: number | null) => void;
  readonly onSelect?: (segment: number | null) => void;
}

/** Units of the picture a canvas height. */
const SCALE = 1000;
/** How near to a segment one has to point, in canvas heights. */
const REACH = 0.035;
/** Widths of lines in pixels, from the faintest to the strongest. */
const WIDTHS = [1.75, 5] as const;

/**
 * Ink as segments, each in the colours of features. Several colours on one segment lie inside one another, the strongest outermost, so that
 * none hides another. Where the pen is in the air the line is thin and dashed; half pairs are red crosses.
 */
export function InkStage(props: InkStageProps): VNode {
  const { segments, box, label, paint, smooth = true, asDots = false, isChanged, ghost, selected, onHover, onSelect } = props;
  const paths = useMemo(() => segmentPaths(segments, { smooth, unit: SCALE }), [segments, smooth]);
  const ghosts = useMemo(() => (ghost ? segmentPaths(ghost, { smooth, unit: SCALE }) : []), [ghost, smooth]);
  const linesOf = (isWanted: (segment: InkSegment) => boolean): string =>
    paths.map(({ d }, i) => (isWanted(segments[i]!) ? d : "")).join("");
  const dotsOf = (isWanted: (segment: InkSegment) => boolean): string =>
    paths.map(({ dot }, i) => (dot !== null && isWanted(segments[i]!) ? dot : "")).join("");
  const at = (event: PointerEvent | MouseEvent): number | null => {
    const svg = event.currentTarget as SVGSVGElement;
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM()!.inverse());
    return nearestSegment(segments, [x / SCALE, y / SCALE], REACH);
  };
  const isPainted = paint !== undefined;
  const chosen = selected === null || selected === undefined ? undefined : segments[selected];
  return (
    <svg
      class={`ink-stage${onSelect ? " selectable" : ""}`}
      viewBox={viewBoxOf(box)}
      role="img"
      aria-label={label}
      {...(onHover && { onPointerMove: (event: PointerEvent) => onHover(at(event)), onPointerLeave: () => onHover(null) })}
      {...(onSelect && { onClick: (event: MouseEvent) => onSelect(at(event)) })}
    >
      <g class="guides">
        <line x1={SCALE * box.left} x2={SCALE * box.right} y1={0} y2={0} />
        <line x1={SCALE * box.left} x2={SCALE * box.right} y1={-SCALE * X_HEIGHT} y2={-SCALE * X_HEIGHT} />
      </g>
      {ghost && <path class="ghost" d={ghosts.map(({ d, dot }, i) => (ghost[i]!.drawn ? d : (dot ?? ""))).join("")} />}
      <path class="air" d={linesOf(({ drawn, malformed, from, to }) => !drawn && !malformed && from[0] !== to[0])} />
      <path class={isPainted ? "base faint" : "base"} d={linesOf((segment) => segment.drawn && !isChanged?.(segment))} />
      {isChanged && <path class="base changed" d={linesOf((segment) => segment.drawn && isChanged(segment))} />}
      <path class={isPainted ? "dots faint" : "dots"} d={dotsOf((segment) => !isChanged?.(segment))} />
      {isChanged && <path class="dots changed" d={dotsOf(isChanged)} />}
      {chosen && <path class="chosen" d={paths[selected!]!.d} />}
      {paint && segments.map((segment, i) => <Painted segment={segment} path={paths[i]!} paints={paint(segment, i)} asDots={asDots} />)}
      {chosen && <circle class="chosen-end" cx={SCALE * chosen.to[0]} cy={SCALE * chosen.to[1]} r={11} />}
      {segments.map(({ malformed, to: [x, y] }) =>
        malformed ? <path class="malformed" d={`M${SCALE * x - 9} ${SCALE * y - 9}l18 18m0-18l-18 18`} /> : null,
      )}
    </svg>
  );
}

function Painted({
  segment,
  path,
  paints,
  asDots,
}: {
  readonly segment: InkSegment;
  readonly path: SegmentPath;
  readonly paints: readonly Paint[];
  readonly asDots: boolean;
}): VNode | null {
  const seen = paints.filter(({ strength }) => strength > 0).sort((a, b) => b.strength - a.strength);
  if (seen.length === 0 || segment.malformed) return null;
  return (
    <>
      {seen.map(({ colour, strength }, rank) => {
        const share = Math.min(1, strength);
        const width = (WIDTHS[0] + share * (WIDTHS[1] - WIDTHS[0])) * (1 - 0.32 * rank);
        const stroke = `color-mix(in oklab, ${colour} ${Math.round(30 + 70 * share)}%, var(--ink-faint))`;
        if (asDots) return <circle cx={SCALE * segment.from[0]} cy={SCALE * segment.from[1]} r={2.2 * width} style={{ fill: stroke }} />;
        return (
          <>
            <path class={segment.drawn ? "painted" : "painted air"} d={path.d} style={{ stroke, strokeWidth: width }} />
            {path.dot && <path class="painted" d={path.dot} style={{ stroke, strokeWidth: width + 3.5 }} />}
          </>
        );
      })}
    </>
  );
}

function viewBoxOf({ left, top, right, bottom }: PaperBox): string {
  return [left, top, right - left, bottom - top].map((value) => Math.round(SCALE * value)).join(" ");
}
