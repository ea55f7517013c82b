import type { InkSegment } from "@cursive/cursive-model";
import type { VNode } from "preact";
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
const WIDTHS = [1.75, 6] as const;

/**
 * Ink as segments, each in the colours of features. Several colours on one segment lie inside one another, the strongest outermost, so that
 * none hides another. Where the pen is in the air the line is thin and dashed; half pairs are red crosses.
 */
export function InkStage(props: InkStageProps): VNode {
  const { segments, box, label, paint, asDots = false, isChanged, ghost, selected, onHover, onSelect } = props;
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
      {ghost && <path class="ghost" d={linesOf(ghost.filter(({ drawn }) => drawn))} />}
      <path class="air" d={linesOf(segments.filter(({ drawn, malformed, from, to }) => !drawn && !malformed && from[0] !== to[0]))} />
      <path class={isPainted ? "base faint" : "base"} d={linesOf(segments.filter((segment) => segment.drawn && !isChanged?.(segment)))} />
      {isChanged && <path class="base changed" d={linesOf(segments.filter((segment) => segment.drawn && isChanged(segment)))} />}
      {dotsOf(segments).map(({ to }) => (
        <circle class={isPainted ? "point faint" : "point"} cx={SCALE * to[0]} cy={SCALE * to[1]} r={6} />
      ))}
      {chosen && <path class="chosen" d={lineOf(chosen)} />}
      {paint && segments.map((segment, i) => <Painted segment={segment} paints={paint(segment, i)} asDots={asDots} />)}
      {chosen && <circle class="chosen-end" cx={SCALE * chosen.to[0]} cy={SCALE * chosen.to[1]} r={11} />}
      {segments.map(({ malformed, to: [x, y] }) =>
        malformed ? <path class="malformed" d={`M${SCALE * x - 9} ${SCALE * y - 9}l18 18m0-18l-18 18`} /> : null,
      )}
    </svg>
  );
}

function Painted({
  segment,
  paints,
  asDots,
}: {
  readonly segment: InkSegment;
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
        return <path class={segment.drawn ? "painted" : "painted air"} d={lineOf(segment)} style={{ stroke, strokeWidth: width }} />;
      })}
    </>
  );
}

function viewBoxOf({ left, top, right, bottom }: PaperBox): string {
  return [left, top, right - left, bottom - top].map((value) => Math.round(SCALE * value)).join(" ");
}

function lineOf({ from, to }: Pick<InkSegment, "from" | "to">): string {
  const [x, y, u, v] = [...from, ...to].map((value) => Math.round(10 * SCALE * value) / 10);
  return `M${x} ${y}L${u} ${v}`;
}

function linesOf(segments: readonly InkSegment[]): string {
  return segments.map(lineOf).join("");
}

/** Where the pen was set down and lifted at once. */
function dotsOf(segments: readonly InkSegment[]): InkSegment[] {
  return segments.filter(({ pen, drawn, malformed }, i) => pen === 1 && !drawn && !malformed && i > 0 && segments[i + 1]?.drawn !== true);
}
