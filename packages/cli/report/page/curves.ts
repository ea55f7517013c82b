import type { ReportData, RunCurves, Spread } from "../report_data.ts";
import { smooth } from "./smooth.ts";
import type { View } from "./view.ts";

/** How a curve is drawn: what was measured at each step, its moving average, the edges of what a bucket of steps spans, or evaluations. */
export type CurveKind = "raw" | "average" | "least" | "most" | "test" | "testReal";

/** A curve of one run. */
export interface Curve {
  readonly kind: CurveKind;
  /** Position of the run. */
  readonly run: number;
  /** What it is called beside its value. */
  readonly label: string;
  /** Index into the palette. */
  readonly colour: number;
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
}

/** What a chart shows. */
export interface ChartSpec {
  readonly id: "loss" | "lr" | "tokens" | "milliseconds";
  curves(run: RunCurves, about: { readonly position: number; readonly view: View; readonly isAlone: boolean }): Curve[];
  isLog(view: View): boolean;
  /** Whether the scale starts at zero and leaves out rare peaks, such as that of the first step, which compiles shaders. */
  readonly isRobust: boolean;
}

/** The charts of a report. */
export const chartSpecs: readonly ChartSpec[] = [
  {
    id: "loss",
    isRobust: false,
    isLog: (view) => view.logLoss,
    curves(run, { position, view, isAlone }) {
      const x = xOf(run, run.steps, view);
      const evaluated = xOf(run, run.evaluations, view);
      const own = (offset: number): number => (isAlone ? offset : run.colour);
      const { testLoss, testLossReal } = run.evaluations;
      const curves: Curve[] = [
        ...spreadCurves(run.steps.loss, { x, run: position, label: "training", colour: own(0), view }),
        { kind: "test", run: position, label: "test", colour: own(1), x: evaluated, y: testLoss },
        { kind: "testReal", run: position, label: "test, real tokens", colour: own(2), x: evaluated, y: testLossReal },
      ];
      return curves.filter(({ label }) => view.losses.has(label));
    },
  },
  {
    id: "lr",
    isRobust: false,
    isLog: () => false,
    curves: (run, { position, view }) => [
      { kind: "average", run: position, label: "learning rate", colour: run.colour, x: xOf(run, run.steps, view), y: run.steps.lr },
    ],
  },
  {
    id: "tokens",
    isRobust: true,
    isLog: () => false,
    curves(run, { position, view }) {
      const perSecond = (values: readonly (number | null)[] | undefined): (number | null)[] | undefined =>
        values?.map((milliseconds) => (milliseconds ? (1000 * run.tokensPerStep) / milliseconds : null));
      const { mean, min, max } = run.steps.milliseconds;
      const spread = { mean: perSecond(mean)!, min: perSecond(max), max: perSecond(min) };
      return spreadCurves(spread, { x: xOf(run, run.steps, view), run: position, label: "tokens/s", colour: run.colour, view });
    },
  },
  {
    id: "milliseconds",
    isRobust: true,
    isLog: () => false,
    curves: (run, { position, view }) =>
      spreadCurves(run.steps.milliseconds, { x: xOf(run, run.steps, view), run: position, label: "ms a step", colour: run.colour, view }),
  },
];

/** The curves of a chart, of all runs that are to be seen. */
export function curvesOf(spec: ChartSpec, { data, view }: { readonly data: ReportData; readonly view: View }): Curve[] {
  const isAlone = data.runs.length === 1;
  return data.runs.flatMap((run, position) => (view.hidden.has(position) ? [] : spec.curves(run, { position, view, isAlone })));
}

/** The moving average, over what was measured: the values themselves, or where they were thinned the band from least to greatest. */
export function spreadCurves(spread: Spread, about: Pick<Curve, "x" | "run" | "label" | "colour"> & { readonly view: View }): Curve[] {
  const { view, ...common } = about;
  const average: Curve = { ...common, kind: "average", y: smooth(spread.mean, view.smoothing) };
  if (!view.showRaw || (view.smoothing === 0 && !spread.min)) return [average];
  if (!spread.min || !spread.max) return [{ ...common, kind: "raw", y: spread.mean }, average];
  return [{ ...common, kind: "most", y: spread.max }, { ...common, kind: "least", y: spread.min }, average];
}

function xOf(
  run: RunCurves,
  { step, seconds }: { readonly step: readonly number[]; readonly seconds: readonly number[] },
  view: View,
): readonly number[] {
  if (view.x === "time") return seconds;
  return view.x === "tokens" ? step.map((each) => each * run.tokensPerStep) : step;
}
