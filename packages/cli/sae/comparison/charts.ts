import type { DensityHistogram } from "@cursive/sae";
import { scaleLinear, scaleLog } from "d3-scale";
import { type Html, html } from "../../report/html.ts";

const [WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP] = [640, 160, 40, 24, 26, 8];
/** Where the axis of shares begins: after the bar of those that never fire. */
const SHARES = LEFT + 70;

/**
 * How many latents fire on which share of rows: bars over a logarithmic axis, with latents that never fired in a bar of their own at the left.
 * All charts of a page have the same axes, so that they can be held against each other.
 */
export function densityChart(
  { histogram, dead }: { readonly histogram: DensityHistogram; readonly dead: number },
  { most, from, colour, label }: { readonly most: number; readonly from: number; readonly colour: number; readonly label: string },
): Html {
  const x = scaleLog()
    .domain([10 ** from, 1])
    .range([SHARES, WIDTH - RIGHT]);
  const y = scaleLinear()
    .domain([0, Math.max(1, most)])
    .nice(3)
    .range([HEIGHT - BOTTOM, TOP]);
  const bar = (left: number, right: number, count: number, about: string): Html | null =>
    count > 0
      ? html`<rect x="${round(left)}" y="${round(y(count))}" width="${round(right - left)}" height="${round(y(0) - y(count))}" fill="var(--c${colour})"><title>${count} ${count === 1 ? "latent" : "latents"}: ${about}</title></rect>`
      : null;
  const bars = histogram.counts.map((count, i) => {
    const [low, high] = [10 ** histogram.edges[i]!, 10 ** histogram.edges[i + 1]!];
    return bar(x(low) + 0.5, x(high) - 0.5, count, `on ${percent(low)} to ${percent(high)} of rows`);
  });
  const decades = Array.from({ length: 1 - from }, (_, i) => from + i);
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" role="img" aria-label="${label}" font-size="11">
${y.ticks(3).map((tick) => html`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}" stroke="var(--grid)"/><text x="${LEFT - 6}" y="${round(y(tick) + 4)}" text-anchor="end" fill="var(--muted)">${tick}</text>`)}
${bar(LEFT + 8, LEFT + 30, dead, "on none")}<text x="${LEFT + 19}" y="${HEIGHT - 10}" text-anchor="middle" fill="var(--muted)">none</text>
${bars}
${decades.map((decade) => html`<text x="${round(x(10 ** decade))}" y="${HEIGHT - 10}" text-anchor="middle" fill="var(--muted)">${percent(10 ** decade)}</text>`)}
</svg>`;
}

/** The tallest bar of all, and the lowest decade: what {@link densityChart}s share. */
export function sharedAxes(all: readonly { readonly histogram: DensityHistogram; readonly dead: number }[]): {
  most: number;
  from: number;
} {
  return {
    most: Math.max(...all.flatMap(({ histogram, dead }) => [...histogram.counts, dead])),
    from: Math.min(-1, ...all.map(({ histogram }) => histogram.edges[0]!)),
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
