import { StrokeTokenizer, segmentsAfter } from "@cursive/cursive-model";
import type { FeatureOverview } from "@cursive/sae/dashboard";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { useShortcuts } from "../../app/keys.ts";
import { route, setParams } from "../../app/route.ts";
import type { ModelFacts } from "../../engine/model_file.ts";
import type { SteerRequest } from "../../engine/steer.ts";
import { fitWord } from "../write/text_plan.ts";
import { FeaturePicker } from "./feature_picker.tsx";
import { HeldFeature } from "./held_feature.tsx";
import { boxAround, unionOf } from "./ink_box.ts";
import { InkStage } from "./ink_stage.tsx";
import { readSteer, type SteerState, writeSteer } from "./link_state.ts";
import { foretold } from "./ranking.ts";
import { SegmentStrip } from "./segment_strip.tsx";
import { spelled } from "./segment_text.ts";
import { Choice, DrawingFields, SeedField, TextField } from "./text_fields.tsx";
import { type Asked, useAnswer } from "./use_answer.ts";

export interface SteerTabProps {
  readonly model: ModelFacts;
  readonly overview: FeatureOverview | null;
}

/** Time in which a slider may still be moving. */
const SLIDING_MS = 200;
/** The highest activation of features that nobody has measured. */
const UNKNOWN_MAX = 1;

/** Features held at values while the model writes, beside what it writes untouched with the same seed. */
export function SteerTab({ model, overview }: SteerTabProps): VNode {
  const state = readSteer(route.value.params);
  const change = (changes: Partial<SteerState>): void => setParams(writeSteer(changes));
  const { text, note } = fitWord(state.text, model);
  const { seed, temperature, topK, held, reach } = state;
  const maxOf = (feature: number): number => overview?.features[feature]?.max || UNKNOWN_MAX;
  const request: SteerRequest | undefined =
    text === ""
      ? undefined
      : {
          ...{ text, seed, temperature, topK, onlyWhereFiring: reach === "firing" },
          held: held.map(({ feature, times }) => ({ latent: feature, value: times * maxOf(feature) })),
        };
  const asked = useAnswer("steerInk", request, SLIDING_MS).value;
  useShortcuts("Steer", [
    { key: "r", does: "Write with another seed", run: () => change({ seed: Math.floor(Math.random() * 10_000) }) },
    { key: "g", does: "Show or hide the untouched ink behind", run: () => change({ ghost: !state.ghost }) },
  ]);
  const hold = (feature: number, times: number | null): void => {
    const others = held.filter((each) => each.feature !== feature);
    if (times === null) change({ held: others });
    else if (others.length < held.length) change({ held: held.map((each) => (each.feature === feature ? { feature, times } : each)) });
    else change({ held: [...held, { feature, times }] });
  };
  return (
    <div class="steer">
      <div class="steer-side">
        <div class="card steer-controls">
          <TextField id="steer-text" label="Word" text={state.text} note={note} onText={(next) => change({ text: next })} />
          <SeedField seed={seed} onSeed={(next) => change({ seed: next })} />
          <DrawingFields temperature={temperature} topK={topK} onChange={change} />
        </div>
        <section class="card held" aria-label="Features that are held">
          <h2>Held features</h2>
          {held.length === 0 && (
            <p class="muted">
              Choose a feature and turn it up. Its activation is set to the value that you choose; all other features, and what the
              autoencoder misses, stay as they are.
            </p>
          )}
          {held.map(({ feature, times }) => (
            <HeldFeature
              key={feature}
              {...{ feature, times }}
              max={maxOf(feature)}
              label={overview?.features[feature]?.label ?? null}
              onTimes={(next) => hold(feature, next)}
            />
          ))}
          <Choice
            name="reach"
            legend="Hold them"
            value={reach}
            choices={[
              ["firing", "where they fire", "Only at the tokens where the feature fires by itself"],
              ["everywhere", "everywhere", "At every token; a feature of directions then wants one where a length should come"],
            ]}
            onChoice={(next) => change({ reach: next })}
          />
          <FeaturePicker
            features={overview?.features ?? []}
            held={held.map(({ feature }) => feature)}
            onPick={(feature) => hold(feature, 1)}
          />
        </section>
      </div>
      <Comparison
        {...{ model, asked, text, isSteered: held.length > 0, reach, ghost: state.ghost, smooth: state.smooth }}
        change={change}
      />
    </div>
  );
}

interface ComparisonProps {
  readonly model: ModelFacts;
  readonly asked: Asked<"steerInk">;
  readonly text: string;
  readonly isSteered: boolean;
  readonly reach: SteerState["reach"];
  readonly ghost: boolean;
  readonly smooth: boolean;
  readonly change: (changes: Pick<Partial<SteerState>, "ghost" | "smooth">) => void;
}

/** Both inks to one scale, what changed, and how much each segment of the untouched one would have been written otherwise. */
function Comparison({ model, asked, text, isSteered, reach, ghost, smooth, change }: ComparisonProps): VNode {
  const tokenizer = useMemo(() => new StrokeTokenizer(model.tokenizer), [model]);
  const { answer, isBusy, progress, error } = asked;
  const now = isBusy && progress ? progress : answer && { baseline: answer.baseline.tokens, steered: answer.steered.tokens };
  const [baseline, steered] = useMemo(
    () => [tokenizer.segments(now?.baseline ?? []), tokenizer.segments(now?.steered ?? [])] as const,
    [tokenizer, now?.baseline, now?.steered],
  );
  if (error)
    return (
      <p class="notice bad" role="alert">
        {error}
      </p>
    );
  if (!now)
    return (
      <div class="card steer-inks empty">
        <p class="muted">{text === "" ? "Type a word for the model to write." : "The model is loading."}</p>
      </div>
    );
  const box = unionOf(boxAround(baseline), boxAround(steered));
  const changed = new Set(segmentsAfter(steered, sameTokens(now.baseline, now.steered)));
  const kl = answer && !isBusy ? foretold(answer.kl, baseline) : [];
  const highest = Math.max(0, ...kl);
  const distance = answer?.difference.distance;
  return (
    <div class={`steer-inks${isBusy && !progress ? " stale" : ""}`} aria-busy={isBusy}>
      <figure class="card untouched">
        <figcaption>
          Untouched
          <label class="check small" title="Curves through the ends of the segments. Off: the segments as the model draws them">
            <input type="checkbox" checked={smooth} onChange={(event) => change({ smooth: event.currentTarget.checked })} />
            smooth
          </label>
        </figcaption>
        <InkStage segments={baseline} box={box} smooth={smooth} label={`“${text}” as the model writes it`} />
      </figure>
      <figure class="card steered">
        <figcaption>
          Steered
          <label class="check small">
            <input type="checkbox" checked={ghost} onChange={(event) => change({ ghost: event.currentTarget.checked })} />
            untouched behind
          </label>
        </figcaption>
        <InkStage
          segments={steered}
          box={box}
          smooth={smooth}
          ghost={ghost ? baseline : undefined}
          isChanged={(segment) => changed.has(segment)}
          label={`“${text}” with ${isSteered ? "features held" : "nothing held"}: ${changed.size} of ${steered.length} segments come after the first difference`}
        />
      </figure>
      <section class="card what-changed" aria-label="What changed">
        <h2>What changed</h2>
        {answer && !isBusy ? (
          <>
            <dl>
              <div>
                <dt>first token that differs</dt>
                <dd>
                  {changed.size === 0 && answer.baseline.tokens.length === answer.steered.tokens.length
                    ? "none"
                    : `${answer.difference.sameTokens + 1} of ${answer.baseline.tokens.length}`}
                </dd>
              </div>
              <div>
                <dt>mean KL</dt>
                <dd>
                  {spelled(answer.meanKl)} <span class="small muted">nats a token</span>
                </dd>
              </div>
              <div>
                <dt>distance of the inks</dt>
                <dd>
                  {distance === null || distance === undefined ? (
                    "–"
                  ) : (
                    <>
                      {spelled(distance)} <span class="small muted">heights</span>
                    </>
                  )}
                </dd>
              </div>
              <div>
                <dt>length of the line</dt>
                <dd>{answer.difference.length === null ? "–" : `× ${answer.difference.length.toFixed(2)}`}</dd>
              </div>
              <div>
                <dt>malformed pairs</dt>
                <dd>
                  {answer.malformed.baseline} → {answer.malformed.steered}
                </dd>
              </div>
              {!answer.steered.ended && (
                <div>
                  <dt>the steered ink</dt>
                  <dd>never came to its end</dd>
                </div>
              )}
            </dl>
            {isSteered && reach === "firing" && highest === 0 ? (
              <p class="notice">Nothing changed: what is held does not fire in this writing. Hold it everywhere to see what it does.</p>
            ) : (
              isSteered && (
                <>
                  <p class="small muted kl-note">
                    KL(untouched ‖ steered) of each segment of the untouched ink, both having read the same ink before it; at most{" "}
                    {spelled(highest)} nats:
                  </p>
                  <SegmentStrip
                    values={kl}
                    max={highest}
                    colour="var(--glow)"
                    label={`Divergence along the untouched ink, at most ${spelled(highest)} nats at segment ${kl.indexOf(highest) + 1}`}
                  />
                </>
              )
            )}
          </>
        ) : (
          <p class="muted" role="status">
            Writing: {now.baseline.length} tokens untouched, {now.steered.length} steered
          </p>
        )}
      </section>
    </div>
  );
}

/** Tokens before the first that differs. */
function sameTokens(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((token, i) => token !== b[i]);
  return at < 0 ? a.length : at;
}
