import "./language.ts";
import type uPlot from "uplot";
import type { ReportData } from "../report_data.ts";
import { type ChartOptions, drawChart, moveByKey, type Range } from "./chart.ts";
import { chartSpecs, curvesOf } from "./curves.ts";
import { readSheets, type Samples, showSamples } from "./samples.ts";
import { onThemeChange, readTheme } from "./theme.ts";
import { readView, type View } from "./view.ts";

/** Heights of the charts: of losses, and of what is looked at less. */
const heights = { large: 380, largeOnPhones: 280, small: 190 };

/** What fits on a sheet of paper, A4 or Letter. */
const PRINT_WIDTH = "690px";

const data = JSON.parse(document.getElementById("data")!.textContent!) as ReportData;
const form = document.querySelector<HTMLFormElement>("form.controls")!;
const legend = document.querySelectorAll<HTMLInputElement>("input[data-run]");
const announcer = document.getElementById("announcer")!;

let drawn: { chart: uPlot; options: ChartOptions }[] = [];
let zoom: Range | undefined;
let theme = readTheme();
let samples: Samples | undefined;

document.body.classList.add("live");
update();
listen();
void readSheets(document.getElementById("sheets")!.textContent!).then((sheets) => {
  samples = showSamples(document.getElementById("samples")!, { data, sheets });
});

/** Draws all charts as the form wants them. */
function update(): void {
  const view = readView(form, legend);
  for (const { chart } of drawn) chart.destroy();
  drawn = chartSpecs.map((spec) => {
    const element = document.querySelector<HTMLElement>(`[data-chart=${spec.id}]`)!;
    const options: ChartOptions = {
      element,
      curves: curvesOf(spec, { data, view }),
      runNames: data.runs.map((run) => run.name),
      view,
      isLog: spec.isLog(view),
      isRobust: spec.isRobust,
      height: spec.id !== "loss" ? heights.small : element.clientWidth < 500 ? heights.largeOnPhones : heights.large,
      theme: () => theme,
      zoom,
      onZoom: zoomTo,
    };
    return { chart: drawChart(options), options };
  });
  form.querySelector<HTMLButtonElement>("[data-act=reset]")!.disabled = zoom === undefined;
  form.querySelector("output")!.textContent = view.smoothing.toFixed(2);
  nameAxis(view);
}

function nameAxis({ x }: View): void {
  const name = { step: "step", time: "time trained", tokens: "tokens" }[x];
  for (const element of document.querySelectorAll("[data-axis]")) element.textContent = name;
}

/** Shows the same part of the x axis in all charts; all of it where nothing of it, or more than it, is asked for. */
function zoomTo(range: Range | undefined): void {
  const xs = drawn.flatMap(({ chart }) => [...chart.data[0]!]);
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
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
  for (const [i, { id }] of chartSpecs.entries()) {
    const element = document.querySelector<HTMLElement>(`[data-chart=${id}]`)!;
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
    samples?.redraw();
  };
  onThemeChange(repaint, { printWidth: PRINT_WIDTH });
}

/** Makes a chart as wide as its place. */
function fit({ chart, options: { element } }: (typeof drawn)[number]): void {
  if (element.clientWidth !== chart.width) chart.setSize({ width: element.clientWidth, height: chart.height });
}
