import type { InkSegment } from "@cursive/cursive-model";
import type { FeatureSummary } from "@cursive/sae/dashboard";
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { linkTo } from "../../app/route.ts";
import type { InkReading } from "../../engine/features.ts";
import { boxAround } from "./ink_box.ts";
import { InkStage, type Paint } from "./ink_stage.tsx";
import type { ScopeState } from "./link_state.ts";
import { pinColours } from "./ranked_list.tsx";
import { alongSegments, alongTokens, foretold } from "./ranking.ts";
import { SegmentStrip } from "./segment_strip.tsx";
import { SegmentTable } from "./segment_table.tsx";
import { describeSegment, spelled } from "./segment_text.ts";
import { Choice } from "./text_fields.tsx";

export interface ScopeInkProps {
  readonly state: ScopeState;
  readonly change: (changes: Partial<ScopeState>) => void;
  readonly reading: InkReading;
  readonly segments: readonly InkSegment[];
  readonly segment: number | null;
  readonly summaries: readonly FeatureSummary[];
  /** The feature that colours the ink by itself; null for the pinned ones. */
  readonly alone: number | null;
}

/** Height of a strip with the gap below it. */
const STRIP_PX = 41;

/** A feature whose activations are shown. */
interface Shown {
  readonly index: number;
  readonly colour: string;
  /** `[segments]` */
  readonly values: readonly number[];
  /** What the strongest colour stands for. */
  readonly max: number;
  readonly isPinned: boolean;
}

/** The ink in the colours of features, with a strip for each and what is known of the segment one points at. */
export function ScopeInk({ state, change, reading, segments, segment, summaries, alone }: ScopeInkProps): VNode {
  const { show, pins, scale, smooth } = state;
  const hovered = useSignal<number | null>(null);
  const { text, losses, tokens, cut } = reading;
  const wanted = alone === null || pins.includes(alone) ? pins : [...pins, alone];
  const shown = wanted.map((index): Shown => {
    const found = reading.features.find((each) => each.index === index);
    const values = found ? alongSegments(alongTokens(found, tokens.length), { segments, show }) : segments.map(() => 0);
    const own = Math.max(...values);
    const max = scale === "own" ? own : Math.max(own, summaries[index]?.max ?? 0);
    const place = pins.indexOf(index);
    return { index, values, max, colour: place >= 0 ? pinColours[place]! : "var(--glow)", isPinned: place >= 0 };
  });
  const painted = alone === null ? shown : shown.filter(({ index }) => index === alone);
  const paint = (_: InkSegment, i: number): Paint[] =>
    painted.map(({ colour, values, max }) => ({ colour, strength: max > 0 ? values[i]! / max : 0 }));
  const surprise = foretold(losses, segments);
  const looked = hovered.value ?? segment;
  const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
  const malformed = segments.filter((each) => each.malformed).length;

  return (
    <section class="card scope-ink" aria-label="Ink">
      <InkStage
        {...{ segments, smooth, selected: segment, paint: painted.length > 0 ? paint : undefined }}
        box={boxAround(segments)}
        asDots={show === "theta"}
        label={summaryOf(text, painted, segments)}
        onHover={(next) => {
          hovered.value = next;
        }}
        onSelect={(next) => change({ segment: next === segment ? null : next })}
      />
      <p class="readout">
        {looked === null || !segments[looked] ? (
          <span class="muted">
            {segments.length} segments, {spelled(mean)} nats a token
            {malformed > 0 && `, ${malformed} malformed ${malformed === 1 ? "pair" : "pairs"}`}
            {cut > 0 && `, ${cut} tokens more than the model takes were left out`}. Point at the ink, or click a segment.
          </span>
        ) : (
          <>
            <strong>Segment {looked + 1}</strong>: {describeSegment(segments[looked])}, foretold at {spelled(surprise[looked]!)} nats
            {painted.map(({ index, values, colour }) => (
              <span class="readout-value">
                <span class="swatch" style={{ background: colour }} /> #{index} {spelled(values[looked]!)}
              </span>
            ))}
          </>
        )}
      </p>
      <div class="scrub">
        <label class="visually-hidden" for="scope-scrub">
          Segment
        </label>
        <input
          id="scope-scrub"
          type="range"
          min={0}
          max={segments.length}
          value={segment === null ? 0 : segment + 1}
          aria-valuetext={segment === null ? "none" : `${segment + 1}: ${describeSegment(segments[segment]!)}`}
          onInput={(event) => {
            const at = event.currentTarget.valueAsNumber;
            change({ segment: at === 0 ? null : at - 1 });
          }}
        />
      </div>
      {/* A feature that is only pointed at comes and goes without moving what lies below. */}
      <div class="strips" style={{ minHeight: `${STRIP_PX * (pins.length + 2)}px` }}>
        {shown.map(({ index, values, max, colour, isPinned }) => (
          <div class="strip">
            <span class="strip-name">
              <span class="swatch" style={{ background: colour }} />
              <a href={linkTo("features", { path: [index] })}>#{index}</a> <span class="strip-label">{summaries[index]?.label}</span>
            </span>
            <SegmentStrip
              {...{ values, max, colour, selected: segment }}
              label={`Feature ${index} along the ink, at most ${spelled(Math.max(...values))}`}
              onSelect={(next) => change({ segment: next })}
            />
            <span class="strip-max">{spelled(max)}</span>
            {isPinned && (
              <button type="button" class="quiet" title="Unpin" onClick={() => change({ pins: pins.filter((pin) => pin !== index) })}>
                <span aria-hidden="true">×</span>
                <span class="visually-hidden">Unpin feature {index}</span>
              </button>
            )}
          </div>
        ))}
        <div class="strip">
          <span class="strip-name">
            <span class="swatch hollow" /> surprise, nats
          </span>
          <SegmentStrip
            {...{ values: surprise, max: Math.max(...surprise), colour: "var(--line-strong)", selected: segment }}
            label={`How badly each segment was foretold, at most ${spelled(Math.max(...surprise))} nats`}
            onSelect={(next) => change({ segment: next })}
          />
          <span class="strip-max">{spelled(Math.max(...surprise))}</span>
        </div>
      </div>
      <div class="ink-options">
        <Choice
          name="show"
          legend="Activation at"
          value={show}
          choices={[
            ["theta", "θ", "Where a direction has just been chosen: a dot at the segment's start"],
            ["r", "r", "Where the segment is complete"],
            ["max", "max", "The stronger of both"],
          ]}
          onChoice={(next) => change({ show: next })}
        />
        <Choice
          name="scale"
          legend="Scale"
          value={scale}
          choices={[
            ["shared", "shared", "The strongest colour is each feature's maximum over the corpus"],
            ["own", "own", "The strongest colour is its maximum on this ink"],
          ]}
          onChoice={(next) => change({ scale: next })}
        />
        <label class="check" title="Curves through the ends of the segments. Off: the segments as the model draws them">
          <input type="checkbox" checked={smooth} onChange={(event) => change({ smooth: event.currentTarget.checked })} />
          Smooth
        </label>
        {wanted.length > 0 && (
          <a
            class="button"
            href={linkTo("features", {
              path: ["steer"],
              params: { text: state.text, hold: wanted.map((index) => `${index}:1`).join(",") },
            })}
          >
            Steer {wanted.map((index) => `#${index}`).join(", ")}
          </a>
        )}
      </div>
      <SegmentTable
        segments={segments}
        columns={[{ title: "nats", values: surprise }, ...shown.map(({ index, values }) => ({ title: `#${index}`, values }))]}
      />
    </section>
  );
}

/** The picture in words. */
function summaryOf(text: string, painted: readonly Shown[], segments: readonly InkSegment[]): string {
  const of = painted.map(({ index, values }) => {
    const most = Math.max(...values);
    return most > 0
      ? `feature ${index}, strongest at segment ${values.indexOf(most) + 1} with ${spelled(most)}`
      : `feature ${index}, silent here`;
  });
  return `Ink of “${text}”, ${segments.length} segments${of.length > 0 ? `, in the colours of ${of.join("; ")}` : ""}`;
}
