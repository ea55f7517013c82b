import type { VNode } from "preact";
import type { FactorTuning, LatentTuning, TunedBin } from "../../../analysis/tuning.ts";
import { BarChart } from "../charts/bar_chart.tsx";
import { BarTable } from "../charts/bar_table.tsx";
import { ChartFigure } from "../charts/chart_figure.tsx";
import { RoseChart } from "../charts/rose_chart.tsx";
import { counted, degrees, directionName, percent, plural, spelled, visibleCharacter } from "../format.ts";
import { Panel } from "./panel.tsx";

const names: Readonly<Record<string, string>> = {
  theta: "Direction",
  length: "Length",
  pen: "Pen",
  place: "Place in the word",
  letter: "Letter being written",
  token: "Kind of token",
  turn: "Turn",
  x: "Across the page",
  height: "Height",
};

/** What has to be known to read a chart. */
const remarks: Readonly<Record<string, string>> = {
  letter: "read from the attention of all heads: letters are joined, and the ink does not say where one ends",
  turn: "0° goes straight on, 90° turns clockwise",
};

/** What a feature prefers: its mean activation over each thing that rows are about. */
export function TuningPanel({ tuning }: { readonly tuning: LatentTuning }): VNode | null {
  if (tuning.factors.length === 0) return null;
  return (
    <Panel title="Tuned to" about="Mean activation over all tokens of each kind, silent ones included.">
      <div class="fv-charts">
        {tuning.factors.map((factor) => (
          <FactorChart key={factor.name} factor={factor} />
        ))}
      </div>
    </Panel>
  );
}

function FactorChart({ factor }: { readonly factor: FactorTuning }): VNode {
  const { name, kind, bits, shuffled, z, clause } = factor;
  const bins = factor.bins.filter(({ rows }) => kind !== "class" || rows > 0);
  const title = names[name] ?? name;
  const most = bins.reduce<TunedBin | null>((best, bin) => (bin.mean > (best?.mean ?? 0) ? bin : best), null);
  const nameOf = (bin: TunedBin): string => binName(bin, factor);
  const tell = (bin: TunedBin): string =>
    `${nameOf(bin)}: mean ${spelled(bin.mean)}, fires on ${counted(bin.firings)} of ${plural(bin.rows, "token")}`;
  const beyond = Math.max(0, bits - shuffled.mean);
  const note = `${spelled(Number(beyond.toFixed(4)))} bits beyond chance, z ${spelled(Number(z.toFixed(1)))}`;
  const summary = most
    ? `Activation by ${title.toLowerCase()}: strongest at ${nameOf(most)}, mean ${spelled(most.mean)}.`
    : `${title}: silent.`;
  const table = {
    head: [name, "mean", "firings", "tokens", "fires on"],
    rows: bins.map((bin) => [nameOf(bin), spelled(bin.mean), bin.firings, bin.rows, percent(bin.rows > 0 ? bin.firings / bin.rows : 0)]),
  };
  return (
    <ChartFigure title={title} note={[clause, note, remarks[name]].filter(Boolean).join(" · ")} table={table}>
      {kind === "angle" ? (
        <RoseChart summary={summary} sectors={bins.map((bin) => ({ from: bin.from, to: bin.to, value: bin.mean, title: tell(bin) }))} />
      ) : kind === "class" && name !== "letter" ? (
        <BarTable
          caption={summary}
          head={[name, "mean", "fires on"]}
          rows={bins.map((bin) => ({
            key: nameOf(bin),
            name: nameOf(bin),
            value: bin.mean,
            more: [percent(bin.rows > 0 ? bin.firings / bin.rows : 0)],
          }))}
        />
      ) : (
        <BarChart
          summary={summary}
          axis={kind === "scale" ? axisOf(name) : undefined}
          bars={bins.map((bin, i) => ({ value: bin.mean, title: tell(bin), tick: tickOf(bin, { factor, i, of: bins.length }) }))}
        />
      )}
    </ChartFigure>
  );
}

function binName({ label, from, to }: TunedBin, { name, kind }: FactorTuning): string {
  if (kind === "class") return visibleCharacter(label ?? "");
  if (name === "turn") return `${degrees(from)}° to ${degrees(to)}°`;
  if (kind === "angle") return `${degrees(from)}° to ${degrees(to)}°, ${directionName((from + to) / 2)}`;
  return `${spelled(from)} to ${spelled(to)}`;
}

function axisOf(name: string): string {
  const axes: Readonly<Record<string, string>> = {
    length: "from, in canvas heights",
    place: "from; 0 is the word's start, 1 its end",
    x: "from, in canvas heights to the right of the first point",
    height: "from, in canvas heights above the first point",
  };
  return axes[name] ?? "from";
}

/** Letters under every bar; of ranges where every other one starts. */
function tickOf(
  { label, from }: TunedBin,
  { factor, i, of }: { readonly factor: FactorTuning; readonly i: number; readonly of: number },
): string | undefined {
  if (factor.kind === "class") return label === "" ? "∅" : label === " " ? "␣" : (label ?? "");
  return i % 2 === 0 || of < 6 ? spelled(Number(from.toPrecision(2))) : undefined;
}
