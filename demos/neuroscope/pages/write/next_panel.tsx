import type { StrokeTokenizer } from "@cursive/cursive-model";
import { type ReadonlySignal, useComputed } from "@preact/signals";
import type { VNode } from "preact";
import { percent } from "../../app/format.ts";
import { DirectionRose } from "./direction_rose.tsx";
import { LengthBars } from "./length_bars.tsx";
import { type Expectation, expectationOf, shareOf } from "./next_token.ts";
import { placeOf, wordStarts } from "./places.ts";
import type { InkWord } from "./write_session.ts";

interface Props {
  readonly words: readonly InkWord[];
  readonly position: ReadonlySignal<number>;
  readonly tokenizer: StrokeTokenizer;
  readonly temperature: number;
  readonly topK: number;
}

/** What the model expected of the pen's next movement: first its direction, then, given that, its length. At the end of all it is the last one. */
export function NextPanel({ words, position, tokenizer, temperature, topK }: Props): VNode {
  const movement = useComputed(() => Math.floor(position.value)).value;
  const total = wordStarts(words).at(-1)!;
  const place = placeOf(words, Math.min(movement, total - 1));
  const word = words[place.word];
  const before = place.movement === 0 ? words[place.word - 1] : undefined;
  const segment = word?.segments[place.movement];
  const expected = (at: number | null | undefined, of = word): Expectation | undefined => {
    const logits = at === null || at === undefined ? undefined : of?.logits[at];
    return logits && expectationOf(logits, tokenizer, { temperature, topK });
  };
  const direction = expected(segment?.thetaIndex);
  const length = expected(segment?.radiusIndex);
  const end = expected(before?.tokens.length, before);
  const token = (at: number | null | undefined): number | undefined => (at === null || at === undefined ? undefined : word?.tokens[at]);
  return (
    <section class="next-panel card" aria-labelledby="next-title">
      <h2 id="next-title">What comes next</h2>
      {!direction && <p class="muted small">{end ? `“${before!.text}” ends here: the end had ${percent(end.end)}.` : whyNothing(word)}</p>}
      {direction && (
        <div class="next-direction">
          <h3>
            Direction <span class="muted">{direction.end > 0.001 ? `or the end, ${percent(direction.end)}` : ""}</span>
          </h3>
          <DirectionRose directions={direction.directions} tokenizer={tokenizer} drawn={token(segment?.thetaIndex)} />
        </div>
      )}
      {length && (
        <div class="next-length">
          <h3>
            Length <span class="muted">with ink {percent(shareOf(length.down))}</span>
          </h3>
          <LengthBars down={length.down} up={length.up} tokenizer={tokenizer} drawn={token(segment?.radiusIndex)} />
          <p class="muted small">Above the line with ink, below it in the air, from short to long. Blue is what was drawn.</p>
        </div>
      )}
    </section>
  );
}

function whyNothing(word: InkWord | undefined): string {
  if (!word || word.segments.length === 0) return "Nothing is written yet.";
  return word.logits.length === 0
    ? "A recording does not hold what the model expected: that comes with the first words of your own GPU."
    : "The first point of a word is given, not drawn.";
}
