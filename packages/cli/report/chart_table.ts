import { type Html, html } from "./html.ts";
import type { ReportedRun } from "./read_run.ts";

/** Rows of a table behind a chart at most. */
const MOST_ROWS = 20;

/** A chart that a table stands behind. */
export type ChartName = "loss" | "lr" | "tokens" | "milliseconds";

interface Column {
  readonly heading: string;
  /** Its value at a step. */
  readonly at: (run: ReportedRun, step: number) => number | null | undefined;
  readonly digits: number;
}

const tokensOf = ({ config }: ReportedRun): number => config.training.batchSize * config.data.maxLength;

const columns: Readonly<Record<ChartName, readonly Column[]>> = {
  loss: [
    { heading: "training", at: (run, step) => atStep(run, { step, values: run.steps.loss.mean }), digits: 4 },
    { heading: "test", at: (run, step) => run.evaluations.testLoss[run.evaluations.step.indexOf(step)], digits: 4 },
    { heading: "test, real tokens", at: (run, step) => run.evaluations.testLossReal[run.evaluations.step.indexOf(step)], digits: 4 },
  ],
  lr: [{ heading: "learning rate", at: (run, step) => atStep(run, { step, values: run.steps.lr }), digits: 7 }],
  tokens: [
    {
      heading: "tokens/s",
      at: (run, step) => {
        const milliseconds = atStep(run, { step, values: run.steps.milliseconds.mean });
        return milliseconds ? (1000 * tokensOf(run)) / milliseconds : null;
      },
      digits: 0,
    },
  ],
  milliseconds: [{ heading: "ms", at: (run, step) => atStep(run, { step, values: run.steps.milliseconds.mean }), digits: 1 }],
};

/** A chart's values at some steps, for those who would rather read than see. */
export function chartTable(chart: ChartName, runs: readonly ReportedRun[]): Html | null {
  const steps = tableSteps(runs, chart);
  if (steps.length === 0) return null;
  const shown = columns[chart];
  const name = ({ summary }: ReportedRun, { heading }: Column): string => (runs.length > 1 ? `${summary.name} ${heading}` : heading);
  const headings = runs.flatMap((run) => shown.map((column) => html`<th scope="col" class="n">${name(run, column)}</th>`));
  const rows = steps.map((step) => {
    const cells = runs.flatMap((run) => shown.map((column) => html`<td class="n">${written(column.at(run, step), column.digits)}</td>`));
    return html`<tr><th scope="row" class="n">${step.toLocaleString("en")}</th>${cells}</tr>`;
  });
  return html`<details><summary>Values as a table</summary><div class="scroll"><table><thead><tr><th scope="col" class="n">step</th>${headings}</tr></thead><tbody>${rows}</tbody></table></div></details>`;
}

/** Steps at which a table has rows: where the loss was evaluated, where there is not too much of it, else at equal distances. */
function tableSteps(runs: readonly ReportedRun[], chart: ChartName): number[] {
  const of = (list: (run: ReportedRun) => readonly number[]): number[] => [...new Set(runs.flatMap(list))].sort((a, b) => a - b);
  const evaluated = of((run) => run.evaluations.step);
  const candidates = chart === "loss" && evaluated.length > 1 ? evaluated : of((run) => run.steps.step);
  if (candidates.length <= MOST_ROWS) return candidates;
  return Array.from({ length: MOST_ROWS }, (_, i) => candidates[Math.round((i / (MOST_ROWS - 1)) * (candidates.length - 1))]!);
}

/** The value of the bucket that a step fell into. */
function atStep({ steps }: ReportedRun, { step, values }: { step: number; values: readonly (number | null)[] }): number | null | undefined {
  return values[steps.step.findIndex((last) => last >= step)];
}

function written(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? "–" : String(Number(value.toFixed(digits)));
}
