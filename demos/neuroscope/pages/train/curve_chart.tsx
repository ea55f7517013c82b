import { type Signal, useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import UPlot from "uplot";
import { count } from "../../app/format.ts";
import { theme } from "../../app/theme.ts";
import type { Curves } from "../../engine/train_client.ts";
import { figure, GrowingColumns } from "./figures.ts";

/** A line of a chart. */
export interface Line {
  readonly label: string;
  /** Its column among the rows. */
  readonly column: number;
  /** A token of the style: `--c0`. */
  readonly colour: string;
  /** Share of the past that a mean keeps, drawn over the numbers themselves; 0 for numbers that are smooth. */
  readonly smooth?: number;
  /** Numbers are apart from each other: dots too. */
  readonly isSparse?: boolean;
}

interface Props {
  readonly title: string;
  /** What the numbers are, in a few words. */
  readonly unit: string;
  readonly curves: Curves;
  readonly lines: readonly Line[];
  readonly isLog?: boolean;
}

const HEIGHT = 220;

/** Numbers over steps. Under the pointer it says those of a step, else the latest; a logarithmic scale is for losses that fall far. */
export function CurveChart({ title, unit, curves, lines, isLog = false }: Props): VNode {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  const pointed = useSignal<number | null>(null);
  const chosen = theme.value;
  const key = lines.map(({ label, column }) => `${label}${column}`).join();
  const columns = useMemo(() => new GrowingColumns(lines), [key]);
  const grown = (): UPlot.AlignedData => {
    columns.take(curves.rows);
    return columns.data as UPlot.AlignedData;
  };
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const make = (): void => {
      plot.current?.destroy();
      plot.current = new UPlot(optionsOf(element, { lines, isLog, pointed }), grown(), element);
    };
    make();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", make);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [key, isLog, chosen]);
  // The rows are the same list, and their version tells that it has grown.
  useEffect(() => plot.current?.setData(grown()), [curves.version]);

  const { rows } = curves;
  const row = rows[pointed.value ?? rows.length - 1];
  const shown = lines.map((line) => ({
    ...line,
    value: pointed.value === null ? latest(rows, line.column) : (row?.[line.column] ?? Number.NaN),
  }));
  return (
    <figure class="curve-chart">
      <figcaption>
        <strong>{title}</strong> <span class="muted">{unit}</span>
      </figcaption>
      <p class="curve-legend">
        {shown.map(({ label, colour, value }) => (
          <span key={label}>
            <i style={{ background: `var(${colour})` }} aria-hidden="true" />
            {label} <b>{figure(value)}</b>
          </span>
        ))}
        {pointed.value !== null && row && <span class="muted">step {count(row[0]!)}</span>}
      </p>
      <div ref={host} class="curve-plot" role="img" aria-label={summaryOf(title, { rows, lines })} />
    </figure>
  );
}

function latest(rows: Curves["rows"], column: number): number {
  for (let i = rows.length - 1; i >= 0; i--) if (Number.isFinite(rows[i]![column])) return rows[i]![column]!;
  return Number.NaN;
}

function optionsOf(
  element: HTMLElement,
  { lines, isLog, pointed }: { lines: readonly Line[]; isLog: boolean; pointed: Signal<number | null> },
): UPlot.Options {
  const [muted, line] = [colourOf(element, "--muted"), colourOf(element, "--line")];
  const font = `13px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: muted, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
  const series = lines.flatMap(({ label, colour, smooth, isSparse }): UPlot.Series[] => {
    const stroke = colourOf(element, colour);
    const own: UPlot.Series = { label, stroke, width: 2, spanGaps: true, points: { show: isSparse ?? false, size: 6, fill: stroke } };
    return smooth ? [{ ...own, width: 1, alpha: 0.35 }, own] : [own];
  });
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: false }, y: isLog ? { distr: 3 } : {} },
    axes: [
      {
        ...axis,
        size: 32,
        space: 64,
        label: "steps",
        labelSize: 18,
        labelGap: -2,
        labelFont: font,
        values: (_, splits) => splits.map((step) => (Number.isInteger(step) ? count(step) : "")),
      },
      { ...axis, size: 52, space: 22, values: (_, splits) => splits.map((value) => (value === null ? "" : figure(value))) },
    ],
    series: [{}, ...series],
    hooks: {
      setCursor: [
        ({ cursor }) => {
          pointed.value = cursor.idx ?? null;
        },
      ],
    },
  };
}

/** What a token of the style comes to: canvases know no custom properties, and these depend on the theme. */
function colourOf(element: HTMLElement, token: string): string {
  const before = element.style.color;
  element.style.color = `var(${token})`;
  const { color } = getComputedStyle(element);
  element.style.color = before;
  return color;
}

function summaryOf(title: string, { rows, lines }: { rows: Curves["rows"]; lines: readonly Line[] }): string {
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) return `${title}: no steps yet`;
  const told = lines.map(({ label, column }) => `${label} ${figure(latest(rows, column))}, at first ${figure(first[column]!)}`);
  return `${title} over ${count(last[0]!)} steps: ${told.join("; ")}`;
}
