import type { VNode } from "preact";
import { percent } from "../../app/format.ts";
import type { FeatureInk, SaeLook } from "../../engine/train_probe.ts";
import { figure } from "./figures.ts";

interface Props {
  readonly look: SaeLook;
  readonly onFeature: (feature: number) => void;
}

/** The watched feature on the words where it is strongest, as its weights change. */
export function WatchedFeature({ look: { feature, density, dead }, onFeature }: Props): VNode {
  const { index, max, inks } = feature;
  return (
    <div class="watched">
      <div class="card-head">
        <h3>
          <label for="watched-feature">Feature</label>{" "}
          <input
            id="watched-feature"
            type="number"
            min={0}
            max={density.length - 1}
            value={index}
            onChange={({ currentTarget: { valueAsNumber: value } }) => {
              if (value >= 0 && value < density.length) onFeature(Math.floor(value));
            }}
          />
        </h3>
        <span class="muted small">
          {dead[index] ? "dead" : max > 0 ? `at most ${figure(max)}, on ${percent(density[index]!)} of the ink` : "silent on this ink"}
        </span>
      </div>
      <div class="sample-grid">
        {inks.map((ink, i) => (
          <FeatureWord key={i} ink={ink} max={max} />
        ))}
      </div>
      <p class="muted small">Held-out words. Colour and width: the stronger of a segment's two tokens; dotted where the pen is up.</p>
    </div>
  );
}

function FeatureWord({ ink, max }: { readonly ink: FeatureInk; readonly max: number }): VNode {
  const { text, segments, box } = ink;
  const [left, top, right, bottom] = box;
  const strongest = Math.max(0, ...segments.map(([, , , , value]) => value));
  return (
    <figure>
      <svg
        viewBox={`${left} ${top} ${right - left} ${bottom - top}`}
        role="img"
        aria-label={`“${text}”: the feature reaches ${figure(strongest)}`}
      >
        {segments.map(([x0, y0, x1, y1, value, drawn], i) => {
          const strength = max > 0 ? value / max : 0;
          if (!drawn && value === 0) return null;
          return (
            <line
              key={i}
              {...{ x1: x0, y1: y0, x2: x1, y2: y1 }}
              class={value > 0 ? "lit" : "unlit"}
              stroke-dasharray={drawn ? undefined : "1 5"}
              stroke-width={1.5 + 3.5 * strength}
              vector-effect="non-scaling-stroke"
              stroke-opacity={value > 0 ? 0.35 + 0.65 * strength : undefined}
            />
          );
        })}
      </svg>
      <figcaption>
        {text} <span class="muted">{figure(strongest)}</span>
      </figcaption>
    </figure>
  );
}
