import type { VNode } from "preact";
import type { Focus } from "./focus.ts";

/** Props of {@link LetterBars}. */
export interface LetterBarsProps {
  readonly letters: readonly string[];
  /** The share on each letter, and on padding after the last where there is any. */
  readonly shares: ArrayLike<number>;
  readonly focus: Focus;
  readonly locked: Focus;
  readonly onHover: (letter: number | null) => void;
  readonly onChoose: (letter: number) => void;
}

/** The text, each letter under a bar of its share of the attention, as buttons. */
export function LetterBars({ letters, shares, focus, locked, onHover, onChoose }: LetterBarsProps): VNode {
  const hasPadding = shares.length > letters.length;
  const is = (what: Focus, letter: number): boolean => what?.kind === "letter" && what.index === letter;
  return (
    <div class="letter-bars" onPointerLeave={() => onHover(null)}>
      {letters.map((letter, i) => (
        <button
          key={i}
          type="button"
          class={`letter-bar${is(focus, i) ? " is-focus" : ""}`}
          aria-pressed={is(locked, i)}
          onPointerEnter={() => onHover(i)}
          onFocus={() => onHover(i)}
          onBlur={() => onHover(null)}
          onClick={() => onChoose(i)}
        >
          <span class="letter-name">
            <span class="visually-hidden">Letter {i + 1}: </span>
            {letter === " " ? "␣" : letter}
          </span>
          <Bar share={shares[i]!} />
          <span class="visually-hidden"> percent</span>
        </button>
      ))}
      {hasPadding && (
        <div class="letter-bar is-padding">
          <span class="letter-name">pad</span>
          <Bar share={shares[letters.length]!} />
        </div>
      )}
    </div>
  );
}

function Bar({ share }: { readonly share: number }): VNode {
  return (
    <span class="letter-track">
      <span class="letter-share">{Math.round(100 * share)}</span>
      <span class="letter-fill" style={{ height: `${Math.min(100, 100 * share)}%` }} />
    </span>
  );
}

/** `82 %`, `under 1 %`. */
export function shareText(share: number): string {
  return share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`;
}
