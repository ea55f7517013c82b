import { coordinate } from "@cursive/cursive-model";
import { scaleLinear } from "d3-scale";
import type { VNode } from "preact";
import { spelled } from "../format.ts";

/** A bar. */
export interface Bar {
  readonly value: number;
  /** What shows at the pointer. */
  readonly title: string;
  /** What stands below it; none by default. */
  readonly tick?: string;
}

/** What {@link BarChart} draws. */
export interface BarChartProps {
  readonly bars: readonly Bar[];
  /** In words, for those who cannot see it. */
  readonly summary: string;
  /** Counts, on a scale of decades. Default: values, on an even scale through 0. */
  readonly isLog?: boolean;
  /** The scale's greatest value; default that of the bars. */
  readonly max?: number;
  /** Below the bars: what they stand for. */
  readonly axis?: string;
  readonly height?: number;
}

const WIDTH = 320;
/** Room for the values' numbers. */
const LEFT = 36;

/** Bars side by side, above and below 0 apart. */
export function BarChart({ bars, summary, isLog = false, axis, height = 96, ...props }: BarChartProps): VNode {
  const most = props.max ?? bars.reduce((greatest, { value }) => Math.max(greatest, Math.abs(value)), 0);
  const hasBelow = bars.some(({ value }) => value < 0);
  const ticks = isLog ? decades(most) : evenTicks(most, hasBelow);
  const top = isLog ? Math.log1p(most) : most;
  const heightOf = scaleLinear([hasBelow ? -top : 0, top || 1], [height, 6]);
  const y = (value: number): number => heightOf(isLog ? Math.log1p(value) : value);
  const step = (WIDTH - LEFT) / Math.max(1, bars.length);
  const hasTicks = bars.some(({ tick }) => tick !== undefined);
  const below = height + (hasTicks ? 15 : 4);
  return (
    <svg class="fv-bars" viewBox={`0 0 ${WIDTH} ${below + (axis ? 13 : 0)}`} role="img" aria-label={summary}>
      {ticks.map((tick) => (
        <g key={tick}>
          <line class={tick === 0 ? "fv-zero" : "fv-grid"} x1={LEFT} x2={WIDTH} y1={coordinate(y(tick))} y2={coordinate(y(tick))} />
          <text class="fv-tick" x={LEFT - 4} y={coordinate(y(tick) + 3.5)} text-anchor="end">
            {spelled(tick)}
          </text>
        </g>
      ))}
      {bars.map(({ value, title, tick }, i) => {
        const x = LEFT + i * step;
        const [from, to] = [y(Math.max(0, value)), y(Math.min(0, value))];
        return (
          <g key={i}>
            <rect class="fv-bar-room" x={coordinate(x)} y="0" width={coordinate(step)} height={height}>
              <title>{title}</title>
            </rect>
            {value !== 0 && (
              <rect
                class={value < 0 ? "fv-below" : "fv-above"}
                x={coordinate(x + Math.min(1, 0.1 * step))}
                y={coordinate(from)}
                width={coordinate(step - 2 * Math.min(1, 0.1 * step))}
                height={coordinate(Math.max(0.75, to - from))}
              />
            )}
            {tick !== undefined && (
              <text class="fv-tick" x={coordinate(x + step / 2)} y={height + 12} text-anchor="middle">
                {tick}
              </text>
            )}
          </g>
        );
      })}
      {axis && (
        <text class="fv-tick fv-axis" x={LEFT + (WIDTH - LEFT) / 2} y={below + 9} text-anchor="middle">
          {axis}
        </text>
      )}
    </svg>
  );
}

/** 0 and powers of ten up to the greatest count. */
function decades(most: number): number[] {
  const powers = Array.from({ length: Math.floor(Math.log10(Math.max(1, most))) + 1 }, (_, k) => 10 ** k);
  return powers.length > 4 ? [0, ...powers.filter((_, k) => k % 2 === 0)] : [0, ...powers];
}

function evenTicks(most: number, hasBelow: boolean): number[] {
  if (most === 0) return [0];
  const ticks = scaleLinear([0, most], [0, 1]).ticks(2);
  return hasBelow ? [...ticks.filter((tick) => tick > 0).map((tick) => -tick), ...ticks] : ticks;
}
