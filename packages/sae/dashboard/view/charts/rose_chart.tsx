import { coordinate } from "@cursive/cursive-model";
import { arc } from "d3-shape";
import type { VNode } from "preact";
import { spelled } from "../format.ts";

/** A sector of a rose: what belongs to directions from one angle to another, in radians, y down. */
export interface RoseSector {
  readonly from: number;
  readonly to: number;
  readonly value: number;
  /** What shows at the pointer. */
  readonly title: string;
}

/** What {@link RoseChart} draws. */
export interface RoseChartProps {
  readonly sectors: readonly RoseSector[];
  /** In words, for those who cannot see it. */
  readonly summary: string;
  /** Above 0 outwards from a circle, below 0 inwards; else outwards from the middle. */
  readonly isSigned?: boolean;
  /** The value that reaches the rim; default the greatest. */
  readonly max?: number;
}

const RIM = 84;
/** Of a signed rose, where 0 lies. */
const ZERO = 46;
const axes = [
  { angle: 0, text: "0°" },
  { angle: Math.PI / 2, text: "90°" },
  { angle: Math.PI, text: "180°" },
  { angle: -Math.PI / 2, text: "270°" },
] as const;

/**
 * A rose: a bar for each direction, pointing to where the pen goes, so that a sector down left is a stroke down left. Bars are as long as
 * values are great; a ring is half of the greatest.
 */
export function RoseChart({ sectors, summary, isSigned = false, max = greatest(sectors) }: RoseChartProps): VNode {
  const unit = max > 0 ? (isSigned ? RIM - ZERO : RIM) / max : 0;
  const base = isSigned ? ZERO : 0;
  const draw = arc();
  const pathOf = ({ from, to, value }: RoseSector): string => {
    const length = base + value * unit;
    const [innerRadius, outerRadius] = [Math.min(base, length), Math.max(base, length)];
    // d3 counts from 12 o'clock, clockwise; so do directions with y down, from 3 o'clock
    return draw({ innerRadius, outerRadius, startAngle: from + Math.PI / 2, endAngle: to + Math.PI / 2 })!;
  };
  const rings = isSigned ? [ZERO - (RIM - ZERO), ZERO, RIM] : [RIM / 2, RIM];
  return (
    <svg class="fv-rose" viewBox="-112 -104 224 208" role="img" aria-label={summary}>
      {rings.map((radius) => (
        <circle key={radius} class={isSigned && radius === ZERO ? "fv-zero" : "fv-grid"} r={radius} />
      ))}
      {axes.map(({ angle }) => (
        <line key={angle} class="fv-grid" x2={coordinate(RIM * Math.cos(angle))} y2={coordinate(RIM * Math.sin(angle))} />
      ))}
      {sectors.map((sector) =>
        sector.value === 0 || sector.from === sector.to ? null : (
          <path key={sector.from} class={sector.value < 0 ? "fv-below" : "fv-above"} d={pathOf(sector)}>
            <title>{sector.title}</title>
          </path>
        ),
      )}
      {axes.map(({ angle, text }) => (
        <text
          key={text}
          class="fv-tick"
          x={coordinate((RIM + 4) * Math.cos(angle))}
          y={coordinate((RIM + 12) * Math.sin(angle) + 3.5)}
          text-anchor={angle === 0 ? "start" : angle === Math.PI ? "end" : "middle"}
        >
          {text}
        </text>
      ))}
      <text class="fv-tick" x={coordinate(0.71 * RIM + 6)} y={coordinate(-0.71 * RIM - 6)}>
        {max > 0 && (isSigned ? `±${spelled(max)}` : spelled(max))}
      </text>
    </svg>
  );
}

function greatest(sectors: readonly RoseSector[]): number {
  return sectors.reduce((most, { value }) => Math.max(most, Math.abs(value)), 0);
}
