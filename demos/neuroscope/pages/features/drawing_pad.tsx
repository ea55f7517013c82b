import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useMemo, useRef } from "preact/hooks";
import type { PaperPoint } from "../../engine/feature_ink.ts";
import { X_HEIGHT } from "./ink_box.ts";

export interface DrawingPadProps {
  /** What is on the paper at first. */
  readonly initial: readonly Stroke[];
  /** Told after each stroke, and when strokes are taken back, with all that is there. */
  readonly onStrokes: (strokes: readonly (readonly PaperPoint[])[]) => void;
}

/** The paper, in canvas heights around the baseline; on a phone there is less of it, so that letters are large enough for a finger. */
const PAPER = { left: -0.06, top: -0.34, width: 1.5, height: 0.52 };
const NARROW_WIDTH = 0.86;
const SCALE = 1000;
/** Nearer points than this add nothing, in canvas heights. */
const LEAST_STEP = 0.002;

type Stroke = readonly PaperPoint[];

/** Ruled paper to write on with a mouse, a finger or a pen. What is written stays on this page. */
export function DrawingPad({ initial, onStrokes }: DrawingPadProps): VNode {
  const strokes = useSignal<readonly Stroke[]>(initial);
  const open = useSignal<Stroke | null>(null);
  const pointer = useRef<number | null>(null);
  const isNarrow = useMemo(() => globalThis.matchMedia("(max-width: 640px)").matches, []);
  const place = (event: PointerEvent): PaperPoint => {
    const svg = event.currentTarget as SVGSVGElement;
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM()!.inverse());
    return [x / SCALE, y / SCALE];
  };
  const begin = (event: PointerEvent): void => {
    if (pointer.current !== null || event.button !== 0) return;
    event.preventDefault();
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    pointer.current = event.pointerId;
    open.value = [place(event)];
  };
  const go = (event: PointerEvent): void => {
    if (event.pointerId !== pointer.current || !open.value) return;
    const [x, y] = place(event);
    const [lastX, lastY] = open.value.at(-1)!;
    if (Math.hypot(x - lastX, y - lastY) >= LEAST_STEP) open.value = [...open.value, [x, y]];
  };
  const end = (event: PointerEvent): void => {
    if (event.pointerId !== pointer.current || !open.value) return;
    pointer.current = null;
    change([...strokes.value, open.value]);
    open.value = null;
  };
  const change = (next: readonly Stroke[]): void => {
    strokes.value = next;
    onStrokes(next);
  };
  const all = open.value ? [...strokes.value, open.value] : strokes.value;
  const { left, top, height } = PAPER;
  const width = isNarrow ? NARROW_WIDTH : PAPER.width;
  const rule = (y: number): VNode => <line x1={SCALE * left} x2={SCALE * (left + width)} y1={SCALE * y} y2={SCALE * y} />;
  return (
    <div class="drawing-pad">
      <svg
        viewBox={[left, top, width, height].map((value) => SCALE * value).join(" ")}
        role="img"
        aria-label={`Paper to write on: ${all.length} ${all.length === 1 ? "stroke" : "strokes"}`}
        onPointerDown={begin}
        onPointerMove={go}
        onPointerUp={end}
        onPointerCancel={end}
      >
        <g class="guides">
          {rule(0)}
          {rule(-X_HEIGHT)}
        </g>
        {all.map((stroke) => (
          <polyline points={drawnPoints(stroke)} />
        ))}
        {all.length === 0 && (
          <text x={SCALE * (left + width / 2)} y={-SCALE * (X_HEIGHT / 2) + 14} text-anchor="middle">
            Write here, small letters between the lines
          </text>
        )}
      </svg>
      <div class="pad-buttons">
        <button type="button" disabled={strokes.value.length === 0} onClick={() => change(strokes.value.slice(0, -1))}>
          Undo stroke
        </button>
        <button type="button" disabled={strokes.value.length === 0} onClick={() => change([])}>
          Clear
        </button>
      </div>
    </div>
  );
}

/** A stroke as SVG has it; a dot as a line of no length, which round ends make visible. */
function drawnPoints(stroke: Stroke): string {
  const places = stroke.length === 1 ? [stroke[0]!, stroke[0]!] : stroke;
  return places.map(([x, y]) => `${SCALE * x},${SCALE * y}`).join(" ");
}
