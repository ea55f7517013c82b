import type { StrokeTokenizer } from "@cursive/cursive-model";
import type { VNode } from "preact";
import type { LogitEffects } from "../../feature_pages.ts";
import { BarChart } from "../charts/bar_chart.tsx";
import { BarTable } from "../charts/bar_table.tsx";
import { ChartFigure } from "../charts/chart_figure.tsx";
import { RoseChart } from "../charts/rose_chart.tsx";
import { degrees, directionName, signed, spelled } from "../format.ts";
import { Panel } from "./panel.tsx";

/** What {@link LogitsPanel} shows. */
export interface LogitsPanelProps {
  readonly logits: LogitEffects;
  readonly tokenizer: StrokeTokenizer;
}

/** Which tokens a feature makes likelier by itself: directions as a rose, lengths as bars, pen down and pen up apart. */
export function LogitsPanel({ logits: { theta, radiusDown, radiusUp, special }, tokenizer }: LogitsPanelProps): VNode {
  const { theta: angles, radius } = tokenizer.bins;
  const sectors = theta.map((value, i) => {
    const [from, to] = [angles[i]!, angles[i + 1] ?? angles[i]!];
    return { from, to, value, title: `${degrees((from + to) / 2)}°, ${directionName((from + to) / 2)}: ${signed(value)}` };
  });
  const most = greatestAt(theta);
  const lengths = Math.max(0, ...[...radiusDown, ...radiusUp].map(Math.abs));
  return (
    <Panel
      title="Effect on logits"
      about="Direct: the decoder's row through the unembedding, a unit of activation. Inwards and below is less likely."
    >
      <div class="fv-charts">
        <ChartFigure
          title="Next direction"
          table={{
            head: ["direction", "effect"],
            rows: sectors.map(({ from, to, value }) => [`${degrees((from + to) / 2)}°`, signed(value)]),
          }}
        >
          <RoseChart
            isSigned
            sectors={sectors}
            summary={`Effect on the next direction, from ${signed(Math.min(0, ...theta))} to ${signed(Math.max(0, ...theta))}; strongest at ${sectors[most]?.title ?? "none"}.`}
          />
        </ChartFigure>
        {(
          [
            { name: "Next length, pen down", effects: radiusDown },
            { name: "Next length, pen up", effects: radiusUp },
          ] as const
        ).map(({ name, effects }) => (
          <ChartFigure
            key={name}
            title={name}
            table={{ head: ["length", "effect"], rows: effects.map((value, i) => [spelled(middleOf(radius, i)), signed(value)]) }}
          >
            <BarChart
              height={72}
              max={lengths}
              axis="length in canvas heights, a bar a token"
              summary={`${name}: strongest at ${spelled(middleOf(radius, greatestAt(effects)))}, ${signed(effects[greatestAt(effects)] ?? 0)}.`}
              bars={effects.map((value, i) => ({
                value,
                title: `${spelled(middleOf(radius, i))}: ${signed(value)}`,
                tick: i % Math.ceil(effects.length / 5) === 0 ? spelled(Number(radius[i]!.toPrecision(2))) : undefined,
              }))}
            />
          </ChartFigure>
        ))}
        <BarTable
          caption="Effect on the tokens that draw nothing"
          head={["token", "effect"]}
          format={signed}
          max={Math.max(lengths, ...special.map(({ effect }) => Math.abs(effect)))}
          rows={special.map(({ name, effect }) => ({ key: name, name, value: effect }))}
        />
      </div>
    </Panel>
  );
}

function greatestAt(effects: readonly number[]): number {
  return effects.reduce((best, value, i) => (Math.abs(value) > Math.abs(effects[best]!) ? i : best), 0);
}

function middleOf(edges: ArrayLike<number>, i: number): number {
  return (edges[i]! + (edges[i + 1] ?? edges[i]!)) / 2;
}
