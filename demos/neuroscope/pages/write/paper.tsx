import type { ReadonlySignal } from "@preact/signals";
import type { VNode } from "preact";
import { InkCanvas } from "../../ink/ink_canvas.tsx";
import { type Layout, SPACING } from "../../ink/layout.ts";
import type { PenMovement } from "../../ink/polyline.ts";
import type { InkWord } from "./write_session.ts";

interface Props {
  readonly words: readonly InkWord[];
  readonly layout: Layout;
  readonly movements: readonly PenMovement[];
  readonly hairs: readonly (readonly PenMovement[])[];
  readonly position: ReadonlySignal<number>;
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly scale: number;
  /** In canvas heights. */
  readonly penWidth: number;
  /** Whether words can be asked for anew. */
  readonly canRewrite: boolean;
  readonly onRewrite: (word: number) => void;
}

/** The paper: the ink, and over each word a button that has it written anew. */
export function Paper({ words, layout, movements, hairs, position, width, height, scale, penWidth, canRewrite, onRewrite }: Props): VNode {
  const count = movements.filter(({ malformed }) => malformed).length;
  const label =
    words.length === 0
      ? "Nothing is written."
      : `Handwriting: ${words.map(({ text }) => text).join(" ")}. ${movements.length} pen movements.`;
  return (
    <div class="paper" style={{ height: `${height}px` }}>
      <InkCanvas
        picture={{ movements, penWidth, hairs, showPen: true }}
        position={position}
        width={width}
        height={height}
        scale={scale}
        label={label}
      />
      {canRewrite &&
        words.map(({ key, text, isDone }, i) => {
          const placed = layout.words[i];
          if (!placed || !isDone) return null;
          return (
            <button
              key={`${i} ${key}`}
              type="button"
              class="rewrite"
              title={`Write “${text}” again`}
              style={{
                left: `${placed.left * scale}px`,
                top: `${(placed.y - SPACING.above + 0.02) * scale}px`,
                width: `${(placed.right - placed.left) * scale}px`,
                height: `${(SPACING.line - 0.04) * scale}px`,
              }}
              onClick={() => onRewrite(i)}
            >
              <span class="visually-hidden">Write “{text}” again</span>
              <span class="rewrite-sign" aria-hidden="true">
                ↻
              </span>
            </button>
          );
        })}
      {count > 0 && (
        <p class="write-malformed small">
          {count === 1 ? "1 malformed pair of tokens" : `${count} malformed pairs of tokens`}, marked with a cross
        </p>
      )}
    </div>
  );
}
