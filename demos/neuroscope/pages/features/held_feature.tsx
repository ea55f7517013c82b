import type { VNode } from "preact";
import { linkTo } from "../../app/route.ts";
import { LARGEST_MULTIPLE, sliderToTimes, timesToSlider } from "./link_state.ts";
import { spelled } from "./segment_text.ts";

export interface HeldFeatureProps {
  readonly feature: number;
  /** What its highest activation is multiplied with. */
  readonly times: number;
  /** Its highest activation over the corpus. */
  readonly max: number;
  readonly label: string | null;
  /** Told what to hold it at; null lets it go. */
  readonly onTimes: (times: number | null) => void;
}

/** Multiples that are marked under the slider: 0 is the feature taken out, 1 its highest activation. */
const MARKS = [-LARGEST_MULTIPLE, -1, 0, 1, LARGEST_MULTIPLE] as const;

/** A feature that is held at a value: a slider for large steps and small ones, a number for exact ones. */
export function HeldFeature({ feature, times, max, label, onTimes }: HeldFeatureProps): VNode {
  const id = `held-${feature}`;
  const spoken = `${spelled(times)} times its highest activation`;
  return (
    <fieldset class="held-feature">
      <legend>
        <a href={linkTo("features", { path: [feature] })}>#{feature}</a> <span class="muted">{label}</span>
      </legend>
      <div class="held-slider">
        <span class="held-range">
          <input
            type="range"
            min={-1}
            max={1}
            step={0.01}
            value={timesToSlider(times)}
            aria-label={`Feature ${feature}`}
            aria-valuetext={spoken}
            onInput={(event) => onTimes(sliderToTimes(event.currentTarget.valueAsNumber))}
          />
          <span class="held-marks" aria-hidden="true">
            {MARKS.map((mark) => (
              <span key={mark} class="held-mark" style={{ "--at": (timesToSlider(mark) + 1) / 2 }}>
                {String(mark).replace("-", "−")}
              </span>
            ))}
          </span>
        </span>
        <button type="button" class="quiet let-go" title="Let it go" onClick={() => onTimes(null)}>
          <span aria-hidden="true">×</span>
          <span class="visually-hidden">Let feature {feature} go</span>
        </button>
      </div>
      <div class="held-values">
        <label for={id} class="visually-hidden">
          Times the highest activation of feature {feature}
        </label>
        <input
          id={id}
          type="number"
          min={-LARGEST_MULTIPLE}
          max={LARGEST_MULTIPLE}
          step="any"
          value={Number(times.toPrecision(3))}
          onChange={(event) => {
            const value = event.currentTarget.valueAsNumber;
            if (Math.abs(value) <= LARGEST_MULTIPLE) onTimes(value);
          }}
        />
        <span class="small muted">
          × {spelled(max)} = {spelled(times * max)}
        </span>
        <button type="button" aria-pressed={times === 0} onClick={() => onTimes(0)}>
          Ablate
        </button>
        <button type="button" disabled={times === 1} onClick={() => onTimes(1)}>
          Reset
        </button>
      </div>
    </fieldset>
  );
}
