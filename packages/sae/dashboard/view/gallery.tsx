import { StrokeTokenizer } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import type { CorpusSequence, FeatureOverview, FeaturePage, FeatureSource, FeatureSummary } from "../feature_pages.ts";
import { percent } from "./format.ts";
import { InkCard } from "./ink_card.tsx";
import type { LabelStore } from "./label_store.ts";
import { useLoaded } from "./use_loaded.ts";

/** What {@link Gallery} shows. */
export interface GalleryProps {
  readonly overview: FeatureOverview;
  readonly source: FeatureSource;
  readonly labels: LabelStore;
  readonly hrefOf: (index: number) => string;
}

const SHOWN = 8;

/** The features that say most about themselves, each on the words that it likes best: what to look at first. */
export function Gallery({ overview, source, labels, hrefOf }: GalleryProps): VNode | null {
  const tokenizer = useMemo(() => new StrokeTokenizer(overview.tokenizer), [overview]);
  const chosen = useMemo(() => telling(overview.features), [overview]);
  const { value: shown, error } = useLoaded(chosen, source, (features) =>
    Promise.all(features.map((feature) => readFeature(feature, source))),
  );
  if (chosen.length === 0) return null;
  return (
    <section class="fv-gallery" aria-labelledby="fv-gallery-title">
      <h2 id="fv-gallery-title">Where to start</h2>
      <p class="fv-note">Features with the most selective labels, on their strongest words. j and k go through the list, / searches.</p>
      {error !== null && <p class="fv-problem">They cannot be read: {error}</p>}
      <ul>
        {(shown ?? []).map(({ summary, page, sequences }) => (
          <li key={summary.index}>
            <h3>
              <a href={hrefOf(summary.index)}>
                <span class="fv-number">{summary.index}</span> {labels.labels.value.get(summary.index) ?? summary.label}
              </a>
              <span class="fv-note">{percent(summary.density)} of tokens</span>
            </h3>
            <div class="fv-cards">
              {page.examples[0]?.examples.slice(0, sequences.length).map((card, i) => (
                <InkCard
                  key={card.sequence}
                  card={card}
                  sequence={sequences[i]!}
                  tokenizer={tokenizer}
                  show="max"
                  max={summary.max}
                  scale={130}
                />
              ))}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface Shown {
  readonly summary: FeatureSummary;
  readonly page: FeaturePage;
  readonly sequences: readonly CorpusSequence[];
}

async function readFeature(summary: FeatureSummary, source: FeatureSource): Promise<Shown> {
  const page = await source.page(summary.index);
  const cards = page.examples[0]?.examples.slice(0, 4) ?? [];
  return { summary, page, sequences: await Promise.all(cards.map(({ sequence }) => source.sequence(sequence))) };
}

/** Labelled features, of each factor in turn the one that says most about it. */
function telling(features: readonly FeatureSummary[]): FeatureSummary[] {
  const ranked = features
    .filter(({ state, label }) => state === "alive" && label !== null)
    .sort((a, b) => (b.selectivity?.bits ?? 0) - (a.selectivity?.bits ?? 0));
  const turns = new Map<string, number>();
  const turnOf = ({ selectivity }: FeatureSummary): number => {
    const turn = turns.get(selectivity?.factor ?? "") ?? 0;
    turns.set(selectivity?.factor ?? "", turn + 1);
    return turn;
  };
  return ranked
    .map((feature) => ({ feature, turn: turnOf(feature) }))
    .sort((a, b) => a.turn - b.turn)
    .slice(0, SHOWN)
    .map(({ feature }) => feature);
}
