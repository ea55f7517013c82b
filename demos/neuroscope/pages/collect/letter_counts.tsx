import type { VNode } from "preact";
import { countCharacters } from "./prompts.ts";

/** Bars are as high as this count at least: a letter written once is not much. */
const FEWEST = 4;

/** How often each character has been written, as bars. */
export function LetterCounts({ characters, texts }: { readonly characters: string; readonly texts: readonly string[] }): VNode {
  const counts = countCharacters(texts);
  const sorted = [...characters].sort();
  const most = Math.max(FEWEST, ...sorted.map((character) => counts.get(character) ?? 0));
  const missing = sorted.filter((character) => !counts.has(character));
  return (
    <figure class="letter-counts">
      <div
        role="img"
        aria-label={`Letters written: ${sorted
          .filter((character) => counts.has(character))
          .map((character) => `${character} ${counts.get(character)}`)
          .join(", ")}; none of ${missing.length}`}
      >
        {sorted.map((character) => {
          const count = counts.get(character) ?? 0;
          return (
            <span key={character} class={count === 0 ? "is-missing" : ""} title={`${character}: ${count}`}>
              <i style={{ height: `${(100 * count) / most}%` }} />
              {character === " " ? "␣" : character}
            </span>
          );
        })}
      </div>
      <figcaption class="small muted">
        {missing.length === 0 ? "Every letter has been written." : `Not written yet: ${missing.slice(0, 30).join(" ")}`}
      </figcaption>
    </figure>
  );
}
