import type { FeatureSummary } from "@cursive/sae/dashboard";
import type { VNode } from "preact";
import { linkTo } from "../../app/route.ts";
import { MOST_PINS } from "./link_state.ts";
import type { RankBy, Ranked } from "./ranking.ts";
import { signed, spelled } from "./segment_text.ts";

/** The colours of pinned features, as CSS has them; told apart with any common kind of colour blindness. */
export const pinColours: readonly string[] = ["var(--c1)", "var(--c0)", "var(--c3)"];

export interface RankedListProps {
  readonly ranked: readonly Ranked[];
  readonly by: RankBy;
  /** What is known of each feature; empty where an autoencoder has no pages. */
  readonly summaries: readonly FeatureSummary[];
  readonly pins: readonly number[];
  readonly feature: number | null;
  readonly onFeature: (feature: number | null) => void;
  readonly onPin: (feature: number) => void;
  /** Told which feature is pointed at or has the focus. */
  readonly onPreview: (feature: number | null) => void;
}

/** Lines that are shown at once. */
const MOST = 40;

/** Features in their order, each with a button that colours the ink with it alone and one that pins it. */
export function RankedList({ ranked, by, summaries, pins, feature, onFeature, onPin, onPreview }: RankedListProps): VNode {
  const most = ranked.reduce((sum, { score }) => Math.max(sum, Math.abs(score ?? 0)), 0);
  return (
    <ol class="ranked">
      {ranked.slice(0, MOST).map(({ index, value, score }) => {
        const place = pins.indexOf(index);
        const isPinned = place >= 0;
        const length = by === "quantile" ? (score ?? 0) : most > 0 ? Math.abs(score ?? 0) / most : 0;
        return (
          <li
            onPointerEnter={() => onPreview(index)}
            onPointerLeave={() => onPreview(null)}
            onFocusCapture={() => onPreview(index)}
            onBlurCapture={() => onPreview(null)}
          >
            <button
              type="button"
              class="ranked-feature"
              aria-pressed={feature === index}
              onClick={() => onFeature(feature === index ? null : index)}
            >
              <span class="ranked-number">#{index}</span>
              <span class="ranked-label">{summaries[index]?.label}</span>
              <span class="ranked-score">{scoreText(by, { value, score })}</span>
              <span class="ranked-bar" aria-hidden="true">
                <span
                  class={by === "loss" && (score ?? 0) < 0 ? "gain" : ""}
                  style={{ width: `${Math.round(100 * Math.min(1, length))}%`, ...(isPinned && { background: pinColours[place] }) }}
                />
              </span>
            </button>
            <button
              type="button"
              class="quiet pin"
              aria-pressed={isPinned}
              disabled={!isPinned && pins.length >= MOST_PINS}
              title={
                isPinned
                  ? "Take its colour off"
                  : pins.length >= MOST_PINS
                    ? "Three are pinned: take one off first"
                    : "Pin it in a colour of its own"
              }
              style={isPinned ? { color: pinColours[place] } : undefined}
              onClick={() => onPin(index)}
            >
              <span aria-hidden="true">{isPinned ? "●" : "○"}</span>
              <span class="visually-hidden">Pin feature {index}</span>
            </button>
            <a class="ranked-link" href={linkTo("features", { path: [index] })} aria-label={`Page of feature ${index}`} title="Its page">
              →
            </a>
          </li>
        );
      })}
      {ranked.length > MOST && <li class="more">{ranked.length - MOST} weaker ones are not shown</li>}
    </ol>
  );
}

function scoreText(by: RankBy, { value, score }: Pick<Ranked, "value" | "score">): string {
  if (by === "size" || (by === "specific" && score === null)) return spelled(value);
  if (score === null) return "…";
  if (by === "specific") return score.toFixed(1);
  return by === "quantile" ? `${Number((100 * score).toFixed(score > 0.99 ? 1 : 0))} %` : `${signed(1000 * score)}`;
}
