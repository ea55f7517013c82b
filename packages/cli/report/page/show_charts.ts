import type uPlot from "uplot";
import { type ChartOptions, drawChart, moveByKey, type Range } from "./chart.ts";
import type { Curve } from "./curves.ts";
import { onThemeChange, readTheme } from "./theme.ts";
import { readView, type View } from "./view.ts";

/** A chart in its place on the page: the element with `data-chart` of its name. */
export interface PlacedChart {
  readonly id: string;
  /** What is to be seen of it. */
  readonly curves: (view: View) => readonly Curve[];
  readonly isLog: (view: View) => boolean;
  readonly isRobust: boolean;
  /** Whether it is what people come for. */
  readonly isLarge: boolean;
}

/** Options of {@link showCharts}. */
export interface ShowChartsOptions {
  /** What curves belong to, by position. */
  readonly names: readonly string[];
  /** What the x axis is called. */
  readonly axes: Readonly<Record<View["x"], string>>;
  /** Called when the theme changes, or the page is printed. */
  readonly onRepaint?: () => void;
}

/** Heights of the charts: of what people come for, and of what is looked at less. */
const heights = { large: 380, largeOnPhones: 280, small: 190 };

/** What fits on a sheet of paper, A4 or Letter. */
const PRINT_WIDTH = "690px";

/**
 * Draws charts as the page's form and legend want them, and again whenever these change: one x axis, one zoom and one crosshair for all of
 * them, by pointer and by keyboard.
 */
export function showCharts(charts: readonly PlacedChart[], { names, axes, onRepaint }: ShowChartsOptions): void {
  const form = document.querySelector<HTMLFormElement>("form.controls")!;
  const legend = document.querySelectorAll<HTMLInputElement>("input[data-run]");
  const announcer = document.getElementById("announcer")!;
  let drawn: { chart: uPlot; options: ChartOptions }[] = [];
  let zoom: Range | undefined;
  let theme = readTheme();

  document.body.classList.add("live");
  update();
  listen();

  function update(): void {
    const view = readView(form, legend);
    for (const { chart } of drawn) chart.destroy();
    drawn = charts.map(({ id, curves, isLog, isRobust, isLarge }) => {
      const element = placeOf(id);
      const options: ChartOptions = {
        element,
        curves: curves(view),
        runNames: names,
        view,
        isLog: isLog(view),
        isRobust,
        height: !isLarge ? heights.small : element.clientWidth < 500 ? heights.largeOnPhones : heights.large,
        theme: () => theme,
        zoom,
        onZoom: zoomTo,
      };
      return { chart: drawChart(options), options };
    });
    form.querySelector<HTMLButtonElement>("[data-act=reset]")!.disabled = zoom === undefined;
    form.querySelector("output")!.textContent = view.smoothing.toFixed(2);
    for (const element of document.querySelectorAll("[data-axis]")) element.textContent = axes[view.x];
  }

  /** Shows the same part of the x axis in all charts; all of it where nothing of it, or more than it, is asked for. */
  function zoomTo(range: Range | undefined): void {
    const xs = drawn.flatMap(({ chart }) => [...chart.data[0]!]);
    const least = xs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const most = xs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const clipped = range && { min: Math.max(least, range.min), max: Math.min(most, range.max) };
    zoom = clipped && clipped.max > clipped.min && (clipped.min > least || clipped.max < most) ? clipped : undefined;
    update();
  }

  function listen(): void {
    let axis = readView(form, legend).x;
    document.getElementById("curves")!.addEventListener("input", () => {
      const { x } = readView(form, legend);
      if (x !== axis) zoom = undefined; // it was a part of another axis
      axis = x;
      update();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.querySelector("[data-act=reset]")!.addEventListener("click", () => zoomTo(undefined));
    for (const box of legend) box.addEventListener("change", update);
    for (const [i, { id }] of charts.entries()) {
      const element = placeOf(id);
      element.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const said = moveByKey(drawn[i]!.chart, { key: event.key, options: drawn[i]!.options });
        if (said === undefined) return;
        event.preventDefault();
        announcer.textContent = said;
      });
      new ResizeObserver(() => fit(drawn[i]!)).observe(element);
    }
    const repaint = (): void => {
      theme = readTheme();
      for (const each of drawn) {
        fit(each);
        each.chart.redraw(false);
      }
      onRepaint?.();
    };
    onThemeChange(repaint, { printWidth: PRINT_WIDTH });
  }
}

function placeOf(id: string): HTMLElement {
  return document.querySelector<HTMLElement>(`[data-chart="${id}"]`)!;
}

/** Makes a chart as wide as its place. */
function fit({ chart, options: { element } }: { readonly chart: uPlot; readonly options: ChartOptions }): void {
  if (element.clientWidth !== chart.width) chart.setSize({ width: element.clientWidth, height: chart.height });
}
