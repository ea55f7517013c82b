import type { StrokeTokenizer } from "@cursive/cursive-model";
import { scaleSqrt } from "d3-scale";
import { arc } from "d3-shape";
import type { VNode } from "preact";
import { percent } from "../../app/format.ts";
import { compass, likeliest, shareOf, type TokenShare } from "./next_token.ts";

interface Props {
  readonly directions: readonly TokenShare[];
  readonly tokenizer: StrokeTokenizer;
  /** The token that was drawn, if it is a direction. */
  readonly drawn: number | undefined;
}

const RADIUS = 92;
const HUB = 10;
/** Shares from here on fill the whole radius: the likeliest are seldom beyond it, and rare ones can still be seen. */
const FULL_SHARE = 0.6;

/** Where the pen may go next: a wedge a direction, its area by how likely it is. */
export function DirectionRose({ directions, tokenizer, drawn }: Props): VNode {
  const radius = scaleSqrt().domain([0, FULL_SHARE]).range([HUB, RADIUS]).clamp(true);
  const wedge = arc<{ low: number; high: number; share: number }>()
    .innerRadius(HUB)
    .outerRadius(({ share }) => radius(share))
    // d3 counts from the top, tokens from the right; both clockwise, as y points down.
    .startAngle(({ low }) => low + Math.PI / 2)
    .endAngle(({ high }) => high + Math.PI / 2);
  const wedges = directions
    .filter(({ share }) => share > 1e-4)
    .map(({ token, share }) => {
      const meaning = tokenizer.meaning(token);
      const path = meaning.kind === "theta" ? wedge({ low: meaning.low, high: meaning.high, share }) : null;
      return <path key={token} d={path ?? ""} class={token === drawn ? "drawn" : ""} />;
    });
  return (
    <svg class="rose" viewBox="-110 -110 220 220" role="img" aria-label={summaryOf(directions, tokenizer)}>
      {[0.05, 0.2, 0.6].map((share) => (
        <circle key={share} class="ring" r={radius(share)} />
      ))}
      <path class="axis" d="M-100 0H100M0-100V100" />
      {wedges}
      <circle class="hub" r={HUB - 2} />
      {[0.2, 0.6].map((share) => (
        <text key={share} x={3} y={-radius(share) - 3}>
          {percent(share)}
        </text>
      ))}
    </svg>
  );
}

function summaryOf(directions: readonly TokenShare[], tokenizer: StrokeTokenizer): string {
  const { token, share } = likeliest(directions);
  const meaning = tokenizer.meaning(token);
  const where = meaning.kind === "theta" ? compass(meaning.value) : "nowhere";
  return `Next direction: ${percent(shareOf(directions))} in all; likeliest ${where}, ${percent(share)} within one bin.`;
}
