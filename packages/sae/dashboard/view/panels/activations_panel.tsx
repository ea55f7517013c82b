import type { VNode } from "preact";
import type { Bars } from "../../../formats/feature_data.ts";
import { BarChart } from "../charts/bar_chart.tsx";
import { ChartFigure } from "../charts/chart_figure.tsx";
import { counted, plural, spelled } from "../format.ts";
import { Panel } from "./panel.tsx";

/** How often which activation, on a scale of decades. */
export function ActivationsPanel({ activations: { edges, heights } }: { readonly activations: Bars }): VNode | null {
  if (heights.length === 0) return null;
  const middle = Math.floor(heights.length / 2);
  const ticks: Readonly<Record<number, number>> = { 0: edges[0]!, [middle]: edges[middle]!, [heights.length - 1]: edges.at(-1)! };
  const most = heights.indexOf(Math.max(...heights));
  const range = (i: number): string => `${spelled(edges[i]!)} to ${spelled(edges[i + 1]!)}`;
  return (
    <Panel title="Activations">
      <ChartFigure
        title="How often which activation"
        note="log scale"
        table={{ head: ["activation", "firings"], rows: heights.map((height, i) => [range(i), counted(height)]) }}
      >
        <BarChart
          isLog
          axis="activation"
          summary={`Histogram of activations up to ${spelled(edges.at(-1)!)}; most often ${range(most)}.`}
          bars={heights.map((value, i) => ({
            value,
            title: `${range(i)}: ${plural(value, "firing")}`,
            tick: ticks[i] === undefined ? undefined : spelled(ticks[i]),
          }))}
        />
      </ChartFigure>
    </Panel>
  );
}
