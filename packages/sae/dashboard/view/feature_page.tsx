import { StrokeTokenizer } from "@cursive/cursive-model";
import type { Signal } from "@preact/signals";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import type { CorpusSequence, FeatureOverview, FeaturePage, FeatureSource } from "../feature_pages.ts";
import { rowsTold } from "../rows_told.ts";
import { Examples, sequencesOf } from "./examples.tsx";
import { FeatureHeader } from "./feature_header.tsx";
import { findFeature } from "./find_feature.ts";
import { counted, plural } from "./format.ts";
import type { LabelStore } from "./label_store.ts";
import { AblationPanel } from "./panels/ablation_panel.tsx";
import { ActivationsPanel } from "./panels/activations_panel.tsx";
import { LettersPanel } from "./panels/letters_panel.tsx";
import { LogitsPanel } from "./panels/logits_panel.tsx";
import { RelativesPanel } from "./panels/relatives_panel.tsx";
import { TuningPanel } from "./panels/tuning_panel.tsx";
import { useLoaded } from "./use_loaded.ts";
import type { InkView } from "./view_state.ts";

/** What {@link FeaturePageView} and {@link FeaturePageLoader} have in common. */
interface FeaturePageSettings {
  readonly overview: FeatureOverview;
  readonly source: FeatureSource;
  readonly view: Signal<InkView>;
  readonly labels: LabelStore;
  readonly hrefOf: (index: number) => string;
  /** The address of the list. */
  readonly listHref: string;
  /** Addresses of the features before and after it in the list; null at its ends. */
  readonly previousHref?: string | null;
  readonly nextHref?: string | null;
}

/** What {@link FeaturePageLoader} shows. */
export interface FeaturePageLoaderProps extends FeaturePageSettings {
  readonly index: number;
}

/** The page of a feature, as soon as its source has given it; the sequences of its examples come after. */
export function FeaturePageLoader({ index, ...settings }: FeaturePageLoaderProps): VNode {
  const { overview, source, labels, listHref, previousHref, nextHref } = settings;
  const links = { labels, listHref, previousHref, nextHref };
  const page = useLoaded(index, source, (of) => source.page(of));
  const sequences = useLoaded(page.value, source, async (of) => {
    const numbers = of ? sequencesOf(of) : [];
    return new Map(await Promise.all(numbers.map(async (number) => [number, await source.sequence(number)] as const)));
  });
  const summary = findFeature(overview, index);
  if (!summary)
    return (
      <p class="fv-empty">
        There is no page of feature {index}; there are pages of {plural(overview.features.length, "feature")}.{" "}
        <a href={listHref}>All features</a>
      </p>
    );
  if (page.error !== null && page.key === index)
    return (
      <p class="fv-problem">
        Feature {index} cannot be read: {page.error}
      </p>
    );
  if (page.value?.index !== index)
    return (
      <article class="fv-page" aria-busy="true">
        <FeatureHeader summary={summary} page={null} {...links} />
      </article>
    );
  return (
    <>
      {sequences.error !== null && <p class="fv-problem">The words of the examples cannot be read: {sequences.error}</p>}
      <FeaturePageView {...settings} page={page.value} sequences={sequences.value ?? new Map()} />
    </>
  );
}

/** What {@link FeaturePageView} shows. */
export interface FeaturePageViewProps extends FeaturePageSettings {
  readonly page: FeaturePage;
  readonly sequences: ReadonlyMap<number, CorpusSequence>;
}

/** All that is known of a feature: its numbers, what it does on ink, what it is tuned to, what it does to the model, and its relatives. */
export function FeaturePageView({ page, sequences, overview, source, view, labels, hrefOf, ...links }: FeaturePageViewProps): VNode {
  const tokenizer = useMemo(() => new StrokeTokenizer(overview.tokenizer), [overview]);
  const summary = findFeature(overview, page.index)!;
  const isDead = summary.state === "dead";
  return (
    <article class={`fv-page${isDead ? " fv-page-dead" : ""}`} aria-label={`Feature ${page.index}`}>
      <FeatureHeader summary={summary} page={page} labels={labels} {...links} />
      {isDead && (
        <p class="fv-empty">This feature never fired on {rowsTold(overview.about, counted)}, so only what its decoder says is known.</p>
      )}
      <div class="fv-page-body">
        {!isDead && <Examples page={page} max={summary.max} overview={overview} source={source} sequences={sequences} view={view} />}
        <div class="fv-panels">
          <TuningPanel tuning={page.tuning} />
          {!isDead && <ActivationsPanel activations={page.activations} />}
          {!isDead && <AblationPanel ablation={page.ablation} />}
          {page.logits && <LogitsPanel logits={page.logits} tokenizer={tokenizer} />}
          {page.letters && <LettersPanel letters={page.letters} />}
          <RelativesPanel page={page} overview={overview} labels={labels.labels.value} hrefOf={hrefOf} />
        </div>
      </div>
    </article>
  );
}
