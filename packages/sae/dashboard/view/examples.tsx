import { StrokeTokenizer } from "@cursive/cursive-model";
import type { Signal } from "@preact/signals";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import type { CorpusSequence, ExampleGroup, FeatureOverview, FeaturePage, FeatureSource } from "../feature_pages.ts";
import { percent, spelled } from "./format.ts";
import { InkCard } from "./ink_card.tsx";
import { TokenRows } from "./token_rows.tsx";
import type { InkView } from "./view_state.ts";

/** What {@link Examples} shows. */
export interface ExamplesProps {
  readonly page: FeaturePage;
  /** The strongest activation of the feature. */
  readonly max: number;
  readonly overview: FeatureOverview;
  readonly source: FeatureSource;
  /** The sequences that have been read so far. */
  readonly sequences: ReadonlyMap<number, CorpusSequence>;
  readonly view: Signal<InkView>;
}

const shows = [
  { value: "theta", name: "θ", about: "direction tokens, as dots where segments start" },
  { value: "radius", name: "r", about: "length tokens, as the colour of their segments" },
  { value: "max", name: "max", about: "the stronger of a segment's two tokens" },
] as const;

/** Examples of a feature in groups, on ink or as a table, with what chooses how they are drawn. */
export function Examples({ page, max, overview, source, sequences, view }: ExamplesProps): VNode {
  const tokenizer = useMemo(() => new StrokeTokenizer(overview.tokenizer), [overview]);
  const { show, scale, form } = view.value;
  const effective = show ?? usualShow(page, { sequences, tokenizer });
  const change = (changes: Partial<InkView>): void => {
    view.value = { ...view.value, ...changes };
  };
  const [top, ...others] = page.examples;
  const bands = others.filter(({ kind, examples }) => kind === "band" && examples.length > 0);
  const rest = others.filter(({ kind, examples }) => kind !== "band" && examples.length > 0);
  const cards = ({ examples }: ExampleGroup): VNode => (
    <div class="fv-cards">
      {examples.map((card) => {
        const sequence = sequences.get(card.sequence);
        const key = `${card.sequence}.${card.position}`;
        if (!sequence) return <div key={key} class="fv-card fv-waiting" />;
        return (
          <InkCard key={key} card={card} sequence={sequence} tokenizer={tokenizer} show={effective} max={scale === "shared" ? max : null} />
        );
      })}
    </div>
  );
  return (
    <section class="fv-examples" aria-label="Examples">
      <div class="fv-ink-controls">
        <Choice
          name="form"
          legend="Examples as"
          options={[
            { value: "ink", name: "ink" },
            { value: "table", name: "table" },
          ]}
          value={form}
          onChange={(value) => change({ form: value })}
        />
        {form === "ink" && (
          <>
            <Choice name="show" legend="Activations at" options={shows} value={effective} onChange={(value) => change({ show: value })} />
            <div class="fv-scale">
              <Choice
                name="scale"
                legend="Scale"
                options={[
                  { value: "shared", name: "shared", about: `the strongest colour is ${spelled(max)} on all cards` },
                  { value: "own", name: "own", about: "the strongest colour is each card's own strongest activation" },
                ]}
                value={scale}
                onChange={(value) => change({ scale: value })}
              />
              <Ramp max={scale === "shared" ? max : null} />
            </div>
          </>
        )}
      </div>
      {form === "table" ? (
        <>
          <h3>Strongest tokens</h3>
          <TokenRows page={page} source={source} overview={overview} />
        </>
      ) : (
        <>
          {top && (
            <section class="fv-top">
              <h3>Strongest</h3>
              <p class="fv-note">The strongest place of each word. The ring marks it; dashes are movements in the air.</p>
              {cards(top)}
            </section>
          )}
          {bands.length > 0 && (
            <section class="fv-bands">
              <h3>From strong to weak</h3>
              {bands.map((group) => (
                <section key={group.from} class="fv-band">
                  <h4>
                    {spelled(group.from)} to {spelled(group.to)}
                    <span class="fv-note">{percent(group.share)} of its firings</span>
                  </h4>
                  {cards(group)}
                </section>
              ))}
            </section>
          )}
          {rest.map((group) => (
            <section key={group.kind} class="fv-rest">
              <h3>{group.kind === "random" ? "Drawn at random" : "Near zero"}</h3>
              <p class="fv-note">
                {group.kind === "random"
                  ? "Firings as they come."
                  : `Activations up to ${spelled(group.to)}: ${percent(group.share)} of its firings.`}
              </p>
              {cards(group)}
            </section>
          ))}
        </>
      )}
    </section>
  );
}

/** The numbers of all sequences that a page's examples are drawn on. */
export function sequencesOf({ examples }: FeaturePage): number[] {
  return [...new Set(examples.flatMap((group) => group.examples.map(({ sequence }) => sequence)))];
}

/** Where a feature fires on directions, its segments show the stronger of both tokens; else those of lengths. */
function usualShow(
  { examples }: FeaturePage,
  { sequences, tokenizer }: { readonly sequences: ReadonlyMap<number, CorpusSequence>; readonly tokenizer: StrokeTokenizer },
): "radius" | "max" {
  const cards = examples[0]?.examples ?? [];
  const onDirections = cards.filter(({ sequence, position }) => {
    const token = sequences.get(sequence)?.tokens[position];
    return token !== undefined && tokenizer.meaning(token).kind === "theta";
  });
  return onDirections.length > 0 ? "max" : "radius";
}

interface ChoiceProps<Value extends string> {
  readonly name: string;
  readonly legend: string;
  readonly options: readonly { readonly value: Value; readonly name: string; readonly about?: string }[];
  readonly value: Value;
  readonly onChange: (value: Value) => void;
}

/** One of a few, as radio buttons side by side. */
function Choice<Value extends string>({ name, legend, options, value, onChange }: ChoiceProps<Value>): VNode {
  return (
    <fieldset class="fv-choice">
      <legend>{legend}</legend>
      {options.map((option) => (
        <label key={option.value} title={option.about}>
          <input type="radio" name={`fv-${name}`} checked={option.value === value} onChange={() => onChange(option.value)} />
          {option.name}
          {option.about && <span class="fv-hidden">: {option.about}</span>}
        </label>
      ))}
    </fieldset>
  );
}

/** What colours and widths mean. */
function Ramp({ max }: { readonly max: number | null }): VNode {
  return (
    <span class="fv-ramp">
      0<span class="fv-ramp-bar" aria-hidden="true" />
      {max === null ? "its own strongest" : spelled(max)}
    </span>
  );
}
