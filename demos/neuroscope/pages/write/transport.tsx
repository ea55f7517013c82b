import { useComputed } from "@preact/signals";
import type { VNode } from "preact";
import type { Pen } from "./pen.ts";
import { placeOf } from "./places.ts";
import type { InkWord } from "./write_session.ts";

interface Props {
  readonly pen: Pen;
  readonly words: readonly InkWord[];
  /** Movements in all. */
  readonly total: number;
  readonly onToggle: () => void;
  readonly onScrub: (movement: number) => void;
}

/** Playing, pausing, and a slider over the pen's movements. */
export function Transport({ pen, words, total, onToggle, onScrub }: Props): VNode {
  const at = useComputed(() => Math.floor(pen.position.value)).value;
  const isPlaying = pen.isPlaying.value;
  const shown = Math.min(at, total);
  const { word, movement } = placeOf(words, shown);
  const where = words[word] ? `movement ${movement} of “${words[word].text}”` : "nothing written";
  return (
    <div class="write-transport">
      <button type="button" class="play" onClick={onToggle} disabled={total === 0} aria-label={isPlaying ? "Pause" : "Play"} title="Space">
        <span aria-hidden="true">{isPlaying ? "❚❚" : "►"}</span>
      </button>
      <input
        type="range"
        min={0}
        max={Math.max(1, total)}
        step={1}
        value={shown}
        disabled={total === 0}
        aria-label="Pen movement"
        aria-valuetext={`${shown} of ${total}, ${where}`}
        onInput={(event) => onScrub(Number(event.currentTarget.value))}
      />
      <output class="small muted">
        {shown} / {total}
      </output>
    </div>
  );
}
