import { visibleStrokes, type Word } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { UNITS } from "./paper.ts";
import type { KeptWord } from "./store.ts";

/** The collected words, the latest first, each with a button that throws it away. */
export function WordList({ words, onRemove }: { readonly words: readonly KeptWord[]; readonly onRemove: (word: KeptWord) => void }): VNode {
  return (
    <ul class="word-list">
      {[...words].reverse().map((word) => (
        <li key={word.id}>
          <Thumbnail word={word} />
          <span>{word.text}</span>
          <button type="button" class="quiet" aria-label={`Throw “${word.text}” away`} onClick={() => onRemove(word)}>
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

function Thumbnail({ word }: { readonly word: Word }): VNode {
  const strokes = visibleStrokes(word.points);
  const places = strokes.flat();
  const of = (axis: 0 | 1, choose: (...values: number[]) => number): number =>
    places.reduce((found, place) => choose(found, place[axis]), places[0]?.[axis] ?? 0);
  const [left, right, top, bottom] = [of(0, Math.min), of(0, Math.max), of(1, Math.min), of(1, Math.max)];
  const room = 0.03;
  const box = [left - room, top - room, right - left + 2 * room, bottom - top + 2 * room];
  return (
    <svg viewBox={box.map((value) => Math.round(UNITS * value)).join(" ")} role="img" aria-label={`Ink of “${word.text}”`}>
      {strokes.map((stroke, i) => (
        <polyline
          key={i}
          points={(stroke.length === 1 ? [stroke[0]!, stroke[0]!] : stroke)
            .map(([x, y]) => `${Math.round(UNITS * x)},${Math.round(UNITS * y)}`)
            .join(" ")}
        />
      ))}
    </svg>
  );
}
