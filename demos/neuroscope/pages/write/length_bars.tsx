import type { StrokeTokenizer } from "@cursive/cursive-model";
import { scaleLinear, scaleSqrt } from "d3-scale";
import type { VNode } from "preact";
import { percent } from "../../app/format.ts";
import { likeliest, shareOf, type TokenShare } from "./next_token.ts";

interface Props {
  /** Lengths with the pen down, and up. */
  readonly down: readonly TokenShare[];
  readonly up: readonly TokenShare[];
  readonly tokenizer: StrokeTokenizer;
  /** The token that was drawn, if it is a length. */
  readonly drawn: number | undefined;
}

const WIDTH = 220;
const HALF = 40;

/** How far the pen may go: above the line with ink, below it in the air, from short to long. */
export function LengthBars({ down, up, tokenizer, drawn }: Props): VNode {
  const x = scaleLinear().domain([0, down.length]).range([0, WIDTH]);
  const height = scaleSqrt().domain([0, 0.6]).range([0, HALF]).clamp(true);
  const bar = ({ token, share }: TokenShare, i: number, side: 1 | -1): VNode => {
    const size = height(share);
    return (
      <rect key={token} x={x(i) + 0.4} y={side > 0 ? -size : 0} width={x(1) - 0.8} height={size} class={token === drawn ? "drawn" : ""} />
    );
  };
  const ticks = [0.01, 0.03, 0.1, 0.3].map((length) => ({ length, bin: down.findIndex(({ token }) => reaches(tokenizer, token, length)) }));
  return (
    <svg class="bars" viewBox={`0 ${-HALF - 4} ${WIDTH} ${2 * HALF + 26}`} role="img" aria-label={summaryOf({ down, up, tokenizer })}>
      <g class="down">{down.map((each, i) => bar(each, i, 1))}</g>
      <g class="up">{up.map((each, i) => bar(each, i, -1))}</g>
      <path class="axis" d={`M0 0H${WIDTH}`} />
      {ticks
        .filter(({ bin }) => bin >= 0)
        .map(({ length, bin }) => (
          <text key={length} x={x(bin + 0.5)} y={HALF + 18} text-anchor="middle">
            {length}
          </text>
        ))}
    </svg>
  );
}

/** Whether a length lies in the bin of a token. */
function reaches(tokenizer: StrokeTokenizer, token: number, length: number): boolean {
  const meaning = tokenizer.meaning(token);
  return meaning.kind === "radius" && meaning.low <= length && length < meaning.high;
}

function summaryOf({ down, up, tokenizer }: Pick<Props, "down" | "up" | "tokenizer">): string {
  const best = likeliest([...down, ...up]);
  const meaning = tokenizer.meaning(best.token);
  const length = meaning.kind === "radius" ? `${meaning.value.toFixed(3)} of the canvas, pen ${meaning.pen === 1 ? "down" : "up"}` : "none";
  return `Next length: pen down ${percent(shareOf(down))}, pen up ${percent(shareOf(up))}; likeliest ${length}, ${percent(best.share)}.`;
}
