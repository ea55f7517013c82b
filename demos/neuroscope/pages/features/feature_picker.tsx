import type { FeatureSummary } from "@cursive/sae/dashboard";
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";

export interface FeaturePickerProps {
  /** All that are known. */
  readonly features: readonly FeatureSummary[];
  readonly held: readonly number[];
  readonly onPick: (feature: number) => void;
}

/** Suggestions that are shown at once. */
const SUGGESTIONS = 8;

/** Finds a feature by its number or words of its label; before anything is typed, those that matter most to the loss. */
export function FeaturePicker({ features, held, onPick }: FeaturePickerProps): VNode {
  const query = useSignal("");
  const typed = query.value.trim().toLowerCase().replace(/^#/, "");
  const number = /^\d+$/.test(typed) ? Number(typed) : null;
  const found = features
    .filter(({ index, state, label }) => {
      if (state === "dead" || held.includes(index)) return false;
      return typed === "" || String(index).startsWith(typed) || (label?.toLowerCase().includes(typed) ?? false);
    })
    .sort((a, b) => Number(b.index === number) - Number(a.index === number) || worth(b) - worth(a) || a.index - b.index)
    .slice(0, SUGGESTIONS);
  const pick = (feature: number): void => {
    query.value = "";
    onPick(feature);
  };
  return (
    <div class="feature-picker">
      <div class="field">
        <label for="feature-query">Add a feature</label>
        <input
          id="feature-query"
          type="search"
          value={query.value}
          placeholder="number or label"
          autocomplete="off"
          onInput={(event) => {
            query.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            const first = found[0]?.index ?? (features.length === 0 ? number : null);
            if (event.key === "Enter" && first !== null) pick(first);
          }}
        />
      </div>
      <ul class="suggestions" aria-label="Features to hold">
        {found.map(({ index, label }) => (
          <li>
            <button type="button" class="chip" onClick={() => pick(index)}>
              <strong>#{index}</strong>
              <span>{label}</span>
            </button>
          </li>
        ))}
        {features.length === 0 && <li class="small muted">Without feature pages: type a number and press Enter.</li>}
        {features.length > 0 && found.length === 0 && <li class="small muted">No other feature matches.</li>}
      </ul>
    </div>
  );
}

/** What a feature is worth to the model; of those nobody measured, how telling it is. */
function worth({ deltaCe, selectivity }: FeatureSummary): number {
  return (deltaCe ?? 0) + 1e-6 * (selectivity?.bits ?? 0);
}
