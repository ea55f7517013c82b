import { StrokeTokenizer } from "@cursive/cursive-model";
import type { FeatureOverview, FeatureSource } from "@cursive/sae/dashboard";
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { useBench } from "../../app/bench_context.ts";
import { useShortcuts } from "../../app/keys.ts";
import { route, setParams } from "../../app/route.ts";
import type { ScopeRequest } from "../../engine/feature_calls.ts";
import { drawnInk, strokesOf } from "../../engine/feature_ink.ts";
import type { InkReading } from "../../engine/features.ts";
import type { ModelFacts } from "../../engine/model_file.ts";
import { fitWord } from "../write/text_plan.ts";
import { DrawingPad } from "./drawing_pad.tsx";
import { useHistograms } from "./feature_source.ts";
import { boxAround } from "./ink_box.ts";
import { InkStage } from "./ink_stage.tsx";
import { MOST_PINS, readScope, type ScopeState, writeScope } from "./link_state.ts";
import { RankedList } from "./ranked_list.tsx";
import { rankFeatures } from "./ranking.ts";
import { ScopeInk } from "./scope_ink.tsx";
import { Choice, DrawingFields, SeedField, TextField } from "./text_fields.tsx";
import { useAnswer } from "./use_answer.ts";

export interface ScopeTabProps {
  readonly model: ModelFacts;
  readonly source: FeatureSource | undefined;
  /** Null where the features have no pages. */
  readonly overview: FeatureOverview | null;
}

/** Time in which a person may still be typing. */
const TYPING_MS = 300;

/** Features on any ink: that the model writes, that the built-in hand writes, or that is drawn here. */
export function ScopeTab({ model, source, overview }: ScopeTabProps): VNode {
  const bench = useBench();
  const state = readScope(route.value.params);
  const change = (changes: Partial<ScopeState>): void => setParams(writeScope(changes));
  const tokenizer = useMemo(() => new StrokeTokenizer(model.tokenizer), [model]);
  const { text, note } = fitWord(state.text, model);
  const asked = useAnswer("scopeInk", requestFor(state, text), TYPING_MS).value;
  const reading = asked.answer;

  return (
    <div class="scope">
      <div class="card scope-controls">
        <Choice
          name="ink-source"
          legend="Ink"
          value={state.source}
          choices={[
            ["model", "Model", "The model writes it, token after token, as on the Write page"],
            ["hand", "Built-in hand", "Ink like that which the model was trained on; the model reads it"],
            ["drawn", "Draw", "With a mouse, a finger or a pen; the model reads it"],
          ]}
          onChoice={(next) => change({ source: next, segment: null })}
        />
        <TextField
          id="scope-text"
          label={state.source === "drawn" ? "What it says" : "Word"}
          text={state.text}
          note={note}
          onText={(next) => change({ text: next, segment: null })}
        />
        {state.source !== "drawn" && <SeedField seed={state.seed} onSeed={(seed) => change({ seed, segment: null })} />}
        {state.source === "model" && (
          <DrawingFields temperature={state.temperature} topK={state.topK} onChange={(drawing) => change({ ...drawing, segment: null })} />
        )}
      </div>
      {state.source === "drawn" && (
        <DrawingPad
          initial={strokesOf(state.drawn, { tokenizer })}
          onStrokes={(strokes) => change({ drawn: drawnInk(strokes, { tokenizer }), segment: null })}
        />
      )}
      {asked.error && (
        <p class="notice bad" role="alert">
          {asked.error}
        </p>
      )}
      {asked.isBusy && asked.progress ? (
        <div class="card scope-ink">
          <Writing tokens={asked.progress} tokenizer={tokenizer} text={text} smooth={state.smooth} />
        </div>
      ) : reading && asked.request ? (
        <Reading {...{ state, change, reading, tokenizer, source, overview }} isStale={asked.isBusy} />
      ) : (
        <div class="card scope-ink empty">
          <p class="muted">{emptyText(state, { text, isReady: bench.status.value.kind === "ready" })}</p>
        </div>
      )}
    </div>
  );
}

/** What to ask the engine; undefined where there is nothing to read yet. */
function requestFor({ source, seed, temperature, topK, drawn }: ScopeState, text: string): ScopeRequest | undefined {
  if (source === "drawn") return drawn.length > 0 ? { text, origin: { by: "tokens", tokens: drawn } } : undefined;
  if (text === "") return undefined;
  return source === "hand" ? { text, origin: { by: "hand", seed } } : { text, origin: { by: "model", seed, temperature, topK } };
}

function emptyText({ source }: ScopeState, { text, isReady }: { readonly text: string; readonly isReady: boolean }): string {
  if (source === "drawn") return "Draw a word above: its features come up as soon as you lift the pen.";
  if (text === "") return "Type a word to see what features make of it.";
  return isReady ? "Reading…" : "The model is loading.";
}

/** The model's ink as it comes. */
function Writing(props: {
  readonly tokens: readonly number[];
  readonly tokenizer: StrokeTokenizer;
  readonly text: string;
  readonly smooth: boolean;
}): VNode {
  const segments = props.tokenizer.segments(props.tokens);
  return <InkStage segments={segments} smooth={props.smooth} box={boxAround(segments)} label={`The model is writing “${props.text}”`} />;
}

interface ReadingProps {
  readonly state: ScopeState;
  readonly change: (changes: Partial<ScopeState>) => void;
  readonly reading: InkReading;
  readonly tokenizer: StrokeTokenizer;
  readonly source: FeatureSource | undefined;
  readonly overview: FeatureOverview | null;
  /** Something else is being read. */
  readonly isStale: boolean;
}

/** Ink that was read, beside the features that fire on it. */
function Reading({ state, change, reading, tokenizer, source, overview, isStale }: ReadingProps): VNode {
  const { by, show, pins, feature } = state;
  const { tokens, text, features } = reading;
  const segments = useMemo(() => tokenizer.segments(tokens), [tokenizer, tokens]);
  const segment = state.segment !== null && state.segment < segments.length ? state.segment : null;
  const numbers = features.map(({ index }) => index);
  const ablating = useAnswer("scopeAblations", by === "loss" ? { ink: { tokens, text }, features } : undefined).value;
  const histograms = useHistograms(source, by === "quantile" ? numbers : []);
  const ablations = useMemo(
    () => new Map((ablating.answer ?? []).map((ablation) => [ablation.index, ablation] as const)),
    [ablating.answer],
  );
  const summaries = overview?.features ?? [];
  const ranked = rankFeatures(features, { by, show, segment, segments, known: summaries, histograms, ablations });
  const preview = useSignal<number | null>(null);
  // With nothing chosen, what is strongest shows what there is to see.
  const alone = preview.value ?? feature ?? (pins.length === 0 ? (ranked[0]?.index ?? null) : null);

  const move = (by: number): void => change({ segment: Math.min(segments.length - 1, Math.max(0, (segment ?? -1) + by)) });
  const step = (by: number): void => {
    const at = ranked.findIndex(({ index }) => index === (feature ?? ranked[0]?.index));
    const next = ranked[Math.min(ranked.length - 1, Math.max(0, at + by))];
    if (next) change({ feature: next.index });
  };
  const pin = (index: number): void => {
    const others = pins.filter((other) => other !== index);
    if (others.length < pins.length) change({ pins: others });
    else if (pins.length < MOST_PINS) change({ pins: [...pins, index], feature: null });
  };
  useShortcuts("Scope", [
    { key: "arrowright", does: "Next segment", run: () => move(1) },
    { key: "arrowleft", does: "Segment before", run: () => move(-1) },
    { key: "j", does: "Next feature in the list", run: () => step(1) },
    { key: "k", does: "Feature before", run: () => step(-1) },
    { key: "p", does: "Pin the feature", run: () => feature !== null && pin(feature) },
    { key: "c", does: "Change the colours' scale", run: () => change({ scale: state.scale === "own" ? "shared" : "own" }) },
    { key: "escape", does: "All of the ink again", run: () => change({ segment: null, feature: null }) },
  ]);

  return (
    <div class={`scope-reading${isStale ? " stale" : ""}`}>
      <ScopeInk {...{ state, change, reading, segments, segment, summaries, alone }} />
      <section class="card scope-ranked" aria-label="Features that fire">
        <div class="ranked-head">
          <h2>{segment === null ? "Features on this ink" : `Features on segment ${segment + 1}`}</h2>
          {segment !== null && (
            <button type="button" class="quiet" onClick={() => change({ segment: null })}>
              All of the ink
            </button>
          )}
        </div>
        <Choice
          name="rank-by"
          legend="Ranked by"
          value={by}
          choices={[
            ["specific", "specific", "The share of its maximum, times the bits that a firing of it tells"],
            ["size", "size", "Its strongest activation here"],
            ["quantile", "quantile", "The share of its activations in the corpus that are weaker"],
            ["loss", "loss", "What the loss of this ink rises by without it, in thousandths of a nat a token"],
          ]}
          onChoice={(next) => change({ by: next })}
        />
        {(by === "specific" || by === "size") && (
          <p class="small muted">
            {by === "size" || !overview
              ? "The strongest activation on this ink."
              : "In bits: the share of its own maximum that a feature reaches here, times −log₂ of how much of all ink it fires on. Rare features come first."}
          </p>
        )}
        {by === "quantile" && overview && <p class="small muted">The share of a feature's activations that are weaker.</p>}
        {by === "loss" && ablating.isBusy && (
          <p class="small muted" role="status">
            Taking features out one by one: {ablating.progress?.done ?? 0} of {numbers.length}
          </p>
        )}
        {by === "loss" && ablating.error && (
          <p class="notice bad" role="alert">
            {ablating.error}
          </p>
        )}
        {by === "quantile" && !overview && <p class="small muted">This autoencoder has no feature pages to take quantiles from.</p>}
        {by === "loss" && !ablating.isBusy && (
          <p class="small muted">Rise of the loss without the feature, in thousandths of a nat a token.</p>
        )}
        {ranked.length === 0 ? (
          <p class="muted">{segment === null ? "No feature fires on this ink." : "No feature fires here at the tokens that are shown."}</p>
        ) : (
          <RankedList
            {...{ ranked, by, summaries, pins, feature }}
            onFeature={(next) => change({ feature: next })}
            onPin={pin}
            onPreview={(next) => {
              preview.value = next;
            }}
          />
        )}
      </section>
    </div>
  );
}
