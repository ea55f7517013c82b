import uPlot from "uplot";
import type { Curve, CurveKind } from "./curves.ts";
import { decimals, duration, shortNumber } from "./format.ts";
import { logLabels, logSplits } from "./log_axis.ts";
import type { Theme } from "./theme.ts";
import type { View } from "./view.ts";

/** What {@link drawChart} draws, and where. */
export interface ChartOptions {
  readonly element: HTMLElement;
  readonly curves: readonly Curve[];
  readonly runNames: readonly string[];
  readonly view: View;
  readonly isLog: boolean;
  readonly isRobust: boolean;
  readonly height: number;
  /** Read at each drawing. */
  readonly theme: () => Theme;
  /** Which part of the x axis is shown; undefined for all of it. */
  readonly zoom: Range | undefined;
  readonly onZoom: (range: Range | undefined) => void;
}

/** A part of an axis. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const dashes: Readonly<Partial<Record<CurveKind, number[]>>> = { test: [7, 4], testReal: [2, 3] };
const widths: Readonly<Record<CurveKind, number>> = { raw: 1, average: 2, least: 0, most: 0, test: 2, testReal: 2 };

/** Kinds whose values are told at the pointer. */
const told: ReadonlySet<CurveKind> = new Set(["average", "test", "testReal"]);

/** Seconds that a time axis may be divided by. */
const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800];

/** Draws curves on a canvas, with values at the pointer, zoom by dragging, and the same by keyboard. */
export function drawChart(options: ChartOptions): uPlot {
  const { element, curves, view, isLog, isRobust, theme, zoom, height } = options;
  const data = align(curves);
  const tooltip = document.createElement("div");
  tooltip.className = "tooltip";
  const chart = new uPlot(
    {
      width: element.clientWidth,
      height,
      legend: { show: false },
      padding: [8, 22, 0, 0],
      cursor: {
        y: false,
        drag: { x: true, y: false, dist: 6 },
        sync: {
          key: "curves",
          scales: ["x", null],
          setSeries: false,
          filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
        },
        dataIdx: (self, series, index) => (series === 0 ? index : nearestValue(self.data[series]!, index)),
        points: { size: (_, series) => (told.has(curves[series - 1]!.kind) ? 7 : 0) },
      },
      scales: {
        x: { time: false, distr: view.logX ? 3 : 1, range: (_, min, max) => [min, max] },
        y: { distr: isLog ? 3 : 1, range: (self, min, max) => (isRobust ? robustRange(self, curves) : paddedRange({ min, max }, isLog)) },
      },
      axes: [
        axis(theme, { size: 32, isLog: view.logX, ...(view.x === "time" ? { incrs: seconds, label: duration } : { label: shortNumber }) }),
        axis(theme, { size: 52, isLog, label: shortNumber }),
      ],
      series: [{}, ...curves.map((curve) => seriesOf(curve, theme))],
      bands: curves.flatMap(({ kind, colour }, i) =>
        kind === "most" ? [{ series: [i + 1, i + 2] as [number, number], fill: () => theme().faint(colour, 0.18) }] : [],
      ),
      hooks: {
        setCursor: [(self) => showValues(self, { tooltip, options })],
        setSelect: [(self) => self.select.width > 0 && options.onZoom(selected(self))],
      },
    },
    data,
    element,
  );
  chart.over.append(tooltip);
  chart.over.addEventListener("dblclick", () => options.onZoom(undefined));
  chart.over.addEventListener("touchmove", ({ touches: [touch] }) => readAt(chart, { touch: touch!, element }), { passive: true });
  if (zoom) chart.setScale("x", zoom as { min: number; max: number });
  return chart;
}

/** Moves the crosshair under a finger, which there are no mouse events for. */
function readAt(chart: uPlot, { touch, element }: { readonly touch: Touch; readonly element: HTMLElement }): void {
  const { left, top } = chart.over.getBoundingClientRect();
  element.focus({ preventScroll: true });
  chart.setCursor({ left: touch.clientX - left, top: touch.clientY - top });
}

/** Moves the crosshair by keyboard. @returns What stands there, for a screen reader; undefined where the key means nothing here. */
export function moveByKey(chart: uPlot, { key, options }: { readonly key: string; readonly options: ChartOptions }): string | undefined {
  const xs = chart.data[0] as number[];
  const { min, max } = chart.scales.x as Range;
  const first = xs.findIndex((x) => x >= min);
  const last = xs.findLastIndex((x) => x <= max);
  const stride = Math.max(1, Math.round((last - first) / 50));
  const now = chart.cursor.idx ?? (key === "ArrowLeft" ? last + stride : first - stride);
  const places: Readonly<Record<string, number>> = { ArrowRight: now + stride, ArrowLeft: now - stride, Home: first, End: last };
  const place = places[key];
  if (place !== undefined) {
    const index = Math.max(first, Math.min(last, place));
    chart.setCursor({ left: chart.valToPos(xs[index]!, "x"), top: chart.over.clientHeight / 2 });
    return describe(chart, options)
      .map(({ name, value }) => `${name} ${value}`)
      .join(", ");
  }
  const centre = xs[Math.max(first, Math.min(last, chart.cursor.idx ?? (first + last) >> 1))]!;
  const zoomed = (factor: number): Range => ({ min: centre - (centre - min) * factor, max: centre + (max - centre) * factor });
  if (key === "+" || key === "=") options.onZoom(zoomed(0.5));
  else if (key === "-") options.onZoom(zoomed(2));
  else if (key === "0" || key === "Escape") options.onZoom(undefined);
  else return undefined;
  return "";
}

/** Curves over different x in one table, as uPlot wants it: undefined where a curve has no place. */
function align(curves: readonly Curve[]): uPlot.AlignedData {
  if (curves.length === 0) return [[]];
  return uPlot.join(curves.map(({ x, y }) => [[...x], [...y]] as uPlot.AlignedData));
}

function seriesOf({ kind, colour, y }: Curve, theme: () => Theme): uPlot.Series {
  const stroke = (): string => (kind === "raw" ? theme().faint(colour, 0.35) : theme().colour(colour));
  const isPointed = kind === "test" || kind === "testReal" || y.length === 1;
  const points = isPointed ? { show: y.length <= 60, size: 6, width: 1.5, fill: stroke } : { show: false };
  return { stroke, width: widths[kind], dash: dashes[kind], spanGaps: true, points };
}

function axis(
  theme: () => Theme,
  about: { readonly size: number; readonly isLog: boolean; readonly incrs?: number[]; readonly label: (value: number) => string },
): uPlot.Axis {
  const grid = { stroke: () => theme().grid, width: 1 };
  return {
    stroke: () => theme().text,
    font: "12px system-ui, sans-serif",
    size: about.size,
    grid,
    ticks: { ...grid, size: 4 },
    ...(about.incrs && { incrs: about.incrs }),
    ...(about.isLog && { splits: (_, __, min, max) => logSplits(min, max), filter: logFilter }),
    values: (_, splits) => splits.map((value) => (value === null ? "" : about.label(value))),
  };
}

/** Labels of a logarithmic axis, as many as there is room for: the first axis is horizontal. */
function logFilter(chart: uPlot, splits: number[], axis: number): (number | null)[] {
  const [scale, room] = axis === 0 ? (["x", 44] as const) : (["y", 22] as const);
  return logLabels(splits, { room, place: (value) => chart.valToPos(value, scale) });
}

function paddedRange({ min, max }: Range, isLog: boolean): [number, number] {
  if (!(max >= min)) return isLog ? [0.1, 1] : [0, 1];
  if (isLog) return [min / 1.1, max * 1.1];
  const room = 0.06 * (max - min || Math.abs(max) || 1);
  return [min >= 0 ? Math.max(0, min - room) : min - room, max + room];
}

/** From zero to somewhat above nearly all averages: a first step of half a minute would press all others flat. */
function robustRange(chart: uPlot, curves: readonly Curve[]): [number, number] {
  const { min, max } = chart.scales.x!;
  const isSeen = (x: number): boolean => x >= (min ?? x) && x <= (max ?? x); // before the first drawing the axis has no ends
  const seen = curves
    .filter(({ kind }) => kind === "average" || kind === "raw")
    .flatMap(({ x, y }) => y.filter((value, i): value is number => value !== null && isSeen(x[i]!)))
    .sort((a, b) => a - b);
  return [0, 1.2 * (seen[Math.floor(0.98 * (seen.length - 1))] || 1)];
}

/** The place of the value nearest to a place of the common axis. */
function nearestValue(values: ArrayLike<number | null | undefined>, index: number): number {
  for (let distance = 0; distance < values.length; distance++) {
    for (const place of [index - distance, index + distance]) if (typeof values[place] === "number") return place;
  }
  return index;
}

function selected(chart: uPlot): Range {
  const { left, width } = chart.select;
  return { min: chart.posToVal(left, "x"), max: chart.posToVal(left + width, "x") };
}

/** What stands at the crosshair: the place first, then the curves' values. */
function describe(chart: uPlot, { curves, runNames, view }: ChartOptions): { name: string; value: string; curve?: Curve }[] {
  const at = (place: number): string => {
    const x = chart.data[0]![place]!;
    return view.x === "time" ? duration(x) : x.toLocaleString("en");
  };
  const index = chart.cursor.idx;
  if (index === null || index === undefined) return [];
  const values = curves.flatMap((curve, i) => {
    const place = chart.cursor.idxs?.[i + 1] ?? index;
    const value = chart.data[i + 1]?.[place];
    const isBehind = chart.data[0]![index]! > curve.x.at(-1)!; // the run had ended there
    if (!told.has(curve.kind) || typeof value !== "number" || (isBehind && curve.kind === "average")) return [];
    const run = runNames.length > 1 ? `${runNames[curve.run]} ` : "";
    const elsewhere = curve.kind === "average" || place === index ? "" : ` at ${at(place)}`;
    return [{ name: `${run}${curve.label}${elsewhere}`, value: decimals(value), curve }];
  });
  const unit = { step: "step", time: "time trained", tokens: "tokens" }[view.x];
  return [{ name: unit, value: at(index) }, ...values];
}

function showValues(chart: uPlot, { tooltip, options }: { tooltip: HTMLElement; options: ChartOptions }): void {
  const { left = -1 } = chart.cursor;
  const isHere = left >= 0 && options.element.matches(":hover, :focus"); // the crosshair goes along in the other charts
  tooltip.hidden = !isHere;
  if (!isHere) return;
  const rows = describe(chart, options).map(({ name, value, curve }) => {
    const row = document.createElement("div");
    const swatch = document.createElement("i");
    if (curve) {
      swatch.style.borderTopColor = options.theme().colour(curve.colour);
      swatch.style.borderTopStyle = curve.kind === "average" ? "solid" : curve.kind === "test" ? "dashed" : "dotted";
    }
    const [label, number] = [document.createElement("span"), document.createElement("b")];
    label.textContent = name;
    number.textContent = value;
    row.append(swatch, label, number);
    return row;
  });
  tooltip.replaceChildren(...rows);
  const isRight = left > chart.over.clientWidth / 2;
  tooltip.style.left = isRight ? "" : `${left + 14}px`;
  tooltip.style.right = isRight ? `${chart.over.clientWidth - left + 14}px` : "";
}
