import { coordinate } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import type { FeatureOverview } from "../feature_pages.ts";
import { percent, plural } from "./format.ts";

/** What {@link DensityBrush} shows and chooses. */
export interface DensityBrushProps {
  readonly overview: Pick<FeatureOverview, "densities" | "densityFloor" | "about">;
  /** log₁₀ of the densities chosen; null for all. */
  readonly range: readonly [from: number, to: number] | null;
  readonly onRange: (range: readonly [number, number] | null) => void;
}

const HEIGHT = 64;

/**
 * How many features have which density, on a scale of decades; dragging over it, or moving its two handles by keyboard, leaves the others
 * out of the list. The least density that the data can tell from 0 is marked, and where features count as dense.
 */
export function DensityBrush({ overview: { densities, densityFloor, about }, range, onRange }: DensityBrushProps): VNode {
  const { edges, counts } = densities;
  const ground = useRef<HTMLDivElement>(null);
  const anchor = useRef<number | null>(null);
  const bins = counts.length;
  const [low, high] = [edges[0]!, edges.at(-1)!];
  const at = (log: number): number => (100 * (Math.min(high, Math.max(low, log)) - low)) / (high - low);
  const binOf = (log: number): number => Math.round((at(log) / 100) * bins);
  const [first, last] = range ? [binOf(range[0]), binOf(range[1])] : [0, bins];
  const choose = (from: number, to: number): void => {
    const [a, b] = [Math.max(0, Math.min(from, to)), Math.min(bins, Math.max(from, to))];
    onRange(a === 0 && b === bins ? null : [edges[a]!, edges[Math.max(a + 1, b)]!]);
  };
  const most = Math.max(1, ...counts);
  const binAt = (clientX: number): number => {
    const { left, width } = ground.current!.getBoundingClientRect();
    return Math.min(bins - 1e-9, Math.max(0, ((clientX - left) / width) * bins));
  };
  const drag = (from: number, to: number): void => choose(Math.floor(Math.min(from, to)), Math.ceil(Math.max(from, to)));
  const chosen = counts.reduce((sum, count, bin) => (bin >= first && bin < last ? sum + count : sum), 0);
  const handle = (end: "from" | "to", bin: number, move: (bin: number) => void): VNode => (
    <div
      class="fv-brush-handle"
      role="slider"
      data-end={end}
      tabIndex={0}
      aria-label={end === "from" ? "least density" : "greatest density"}
      aria-valuemin={0}
      aria-valuemax={bins}
      aria-valuenow={bin}
      aria-valuetext={percent(10 ** edges[bin]!)}
      style={{ left: `${(100 * bin) / bins}%` }}
      onKeyDown={(event) => {
        const steps: Readonly<Record<string, number>> = {
          ArrowLeft: -1,
          ArrowDown: -1,
          ArrowRight: 1,
          ArrowUp: 1,
          PageDown: -4,
          PageUp: 4,
        };
        const to = event.key === "Home" ? 0 : event.key === "End" ? bins : bin + (steps[event.key] ?? 0);
        if (event.key === "Escape" && range) onRange(null);
        else if (to !== bin) move(to);
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    />
  );
  const decades = Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, k) => Math.ceil(low) + k);
  return (
    <fieldset class="fv-brush" title="Share of the tokens on which a feature fires">
      <legend>
        Density
        <output>
          {range ? `${percent(10 ** edges[first]!)} to ${percent(10 ** edges[last]!)}: ${plural(chosen, "feature")}` : "of all features"}
        </output>
        <button type="button" hidden={range === null} onClick={() => onRange(null)}>
          All densities
        </button>
      </legend>
      <div
        class="fv-brush-ground"
        ref={ground}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const { end } = (event.target as HTMLElement).dataset; // of a handle: the other end stays
          anchor.current = end === "from" ? last : end === "to" ? first : binAt(event.clientX);
          if (end === undefined) drag(anchor.current, anchor.current);
        }}
        onPointerMove={(event) => anchor.current !== null && drag(anchor.current, binAt(event.clientX))}
        onPointerUp={() => {
          anchor.current = null;
        }}
        onPointerCancel={() => {
          anchor.current = null;
        }}
      >
        <svg viewBox={`0 0 ${bins} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={summaryOf(densities, about.metrics.dead)}>
          {counts.map((count, bin) => {
            const height = count > 0 ? Math.max(2, (count / most) * (HEIGHT - 14)) : 0;
            const place = { x: coordinate(bin + 0.06), y: coordinate(HEIGHT - height), width: "0.88", height: coordinate(height) };
            return (
              <rect key={edges[bin]} class={bin >= first && bin < last ? "fv-above" : "fv-left-out"} {...place}>
                <title>{`${percent(10 ** edges[bin]!)} to ${percent(10 ** edges[bin + 1]!)}: ${plural(count, "feature")}`}</title>
              </rect>
            );
          })}
        </svg>
        <span
          class="fv-brush-mark"
          style={{ left: `${at(densityFloor)}%` }}
          title={`One firing in the whole data: ${percent(10 ** densityFloor)}`}
        >
          floor
        </span>
        <span
          class="fv-brush-mark fv-brush-dense"
          style={{ left: `${at(-1)}%` }}
          title="Features that fire on more than 10% of the tokens are dense"
        >
          dense
        </span>
        {handle("from", first, (bin) => choose(Math.min(bin, last - 1), last))}
        {handle("to", last, (bin) => choose(first, Math.max(bin, first + 1)))}
      </div>
      <div class="fv-brush-axis" aria-hidden="true">
        {decades.map((decade) => (
          <span key={decade} style={{ left: `${at(decade)}%` }}>
            {percent(10 ** decade)}
          </span>
        ))}
      </div>
    </fieldset>
  );
}

function summaryOf({ edges, counts }: FeatureOverview["densities"], dead: number): string {
  const bin = counts.indexOf(Math.max(...counts));
  const rest = dead > 0 ? ` ${plural(dead, "dead feature")} ${dead === 1 ? "is" : "are"} in no bar.` : "";
  return `Features by density; most are between ${percent(10 ** edges[bin]!)} and ${percent(10 ** edges[bin + 1]!)}.${rest}`;
}
