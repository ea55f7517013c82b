import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { count } from "../../app/format.ts";
import type { DrawnInk } from "../../engine/train_ink.ts";
import type { ModelLook } from "../../engine/train_session.ts";

interface Props {
  readonly look: ModelLook | undefined;
}

/** What the model writes, now or at a step before. */
export function SampleSheet({ look }: Props): VNode {
  const chosen = useSignal<number | null>(null);
  const samples = look?.samples ?? [];
  const place = Math.min(chosen.value ?? samples.length - 1, samples.length - 1);
  const sample = samples[place];
  return (
    <section class="card samples" aria-label="What the model writes">
      <div class="card-head">
        <h2>What it writes</h2>
        {sample && <span class="muted small">after step {count(sample.step)}</span>}
      </div>
      {!sample && <p class="muted">The first words come after step 1, then after 10, 30, 100 and so on.</p>}
      {sample && (
        <div class="sample-grid">
          {sample.inks.map((ink, i) => (
            <SampleInk key={i} ink={ink} />
          ))}
        </div>
      )}
      {samples.length > 1 && (
        <div class="field">
          <label for="sample-step">Look back</label>
          <output for="sample-step">step {count(sample!.step)}</output>
          <input
            id="sample-step"
            type="range"
            min={0}
            max={samples.length - 1}
            value={place}
            aria-valuetext={`step ${sample!.step}`}
            onInput={({ currentTarget: { valueAsNumber } }) => {
              chosen.value = valueAsNumber === samples.length - 1 ? null : valueAsNumber;
            }}
          />
        </div>
      )}
    </section>
  );
}

function SampleInk({ ink: { text, path, box } }: { readonly ink: DrawnInk }): VNode {
  const [left, top, right, bottom] = box;
  return (
    <figure>
      <svg viewBox={`${left} ${top} ${right - left} ${bottom - top}`} role="img" aria-label={`“${text}” as the model writes it`}>
        <path d={path} class="sample-ink" vector-effect="non-scaling-stroke" />
      </svg>
      <figcaption>{text}</figcaption>
    </figure>
  );
}
