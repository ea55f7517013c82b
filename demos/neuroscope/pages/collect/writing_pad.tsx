import { cursiveCharacters, visibleStrokes, writeCursive } from "@cursive/cursive-model";
import { createRng } from "@cursive/tensor";
import type { VNode } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { extended, type Place, type Stroke } from "./collection.ts";
import { lines, type Paper, UNITS } from "./paper.ts";

/** Props of {@link WritingPad}. */
export interface WritingPadProps {
  readonly paper: Paper;
  readonly prompt: string;
  readonly strokes: readonly Stroke[];
  /** Called with all strokes when one was finished. */
  readonly onStrokes: (strokes: readonly Stroke[]) => void;
}

/** Nearer places than this add nothing, in canvas heights. */
const LEAST_STEP = 0.003;

/**
 * Ruled paper for a mouse, a finger or a pen. All places between two events count, where the browser tells them. Once a pen was seen, fingers
 * are the hand that rests.
 */
export function WritingPad({ paper, prompt, strokes, onStrokes }: WritingPadProps): VNode {
  const [open, setOpen] = useState<Stroke | null>(null);
  const current = useRef<Stroke>([]);
  const pointer = useRef<number | null>(null);
  const hasPen = useRef(false);

  const placesOf = (event: PointerEvent): Place[] => {
    const svg = event.currentTarget as SVGSVGElement;
    const toPaper = svg.getScreenCTM()!.inverse();
    const events = event.getCoalescedEvents?.() ?? [];
    return (events.length > 0 ? events : [event]).map(({ clientX, clientY }) => {
      const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(toPaper);
      return [x / UNITS, y / UNITS];
    });
  };
  const begin = (event: PointerEvent): void => {
    if (event.pointerType === "pen") hasPen.current = true;
    if (pointer.current !== null || event.button !== 0 || (hasPen.current && event.pointerType === "touch")) return;
    event.preventDefault();
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    pointer.current = event.pointerId;
    current.current = extended([], placesOf(event), LEAST_STEP);
    setOpen(current.current);
  };
  const go = (event: PointerEvent): void => {
    if (event.pointerId !== pointer.current) return;
    current.current = extended(current.current, placesOf(event), LEAST_STEP);
    setOpen(current.current);
  };
  const end = (event: PointerEvent): void => {
    if (event.pointerId !== pointer.current) return;
    pointer.current = null;
    setOpen(null);
    onStrokes([...strokes, current.current]);
  };

  const all = open ? [...strokes, open] : strokes;
  const example = useMemo(() => exampleOf(prompt), [prompt]);
  const { left, top, width, height } = paper;
  return (
    <svg
      class="writing-pad"
      viewBox={[left, top, width, height].map((value) => UNITS * value).join(" ")}
      role="img"
      aria-label={`Paper to write “${prompt}” on: ${all.length} ${all.length === 1 ? "stroke" : "strokes"}`}
      data-testid="pad"
      onPointerDown={begin}
      onPointerMove={go}
      onPointerUp={end}
      onPointerCancel={end}
    >
      <g class="writing-lines">
        {Object.entries(lines).map(([name, y]) => (
          <line key={name} class={name} x1={UNITS * left} x2={UNITS * (left + width)} y1={UNITS * y} y2={UNITS * y} />
        ))}
      </g>
      {all.map((stroke, i) => (
        <polyline key={i} points={drawnPoints(stroke)} />
      ))}
      {all.length === 0 && (
        <g class="writing-example">
          {example.map((stroke, i) => (
            <polyline key={i} points={drawnPoints(stroke)} />
          ))}
        </g>
      )}
    </svg>
  );
}

/** A text in the built-in cursive, to show where letters go; nothing for characters that it lacks. It goes with the first stroke: a hand of one's own is wanted. */
function exampleOf(text: string): readonly Stroke[] {
  const isKnown = text !== "" && [...text].every((character) => cursiveCharacters.includes(character));
  return isKnown ? visibleStrokes(writeCursive(text, { rng: createRng(1, "collect"), variation: 0 }).points) : [];
}

/** A stroke as SVG has it; a dot as a line of no length, which round ends make visible. */
function drawnPoints(stroke: Stroke): string {
  const places = stroke.length === 1 ? [stroke[0]!, stroke[0]!] : stroke;
  return places.map(([x, y]) => `${(UNITS * x).toFixed(1)},${(UNITS * y).toFixed(1)}`).join(" ");
}
