import "./language.ts";
import type { ReportData } from "../report_data.ts";
import { chartSpecs, curvesOf } from "./curves.ts";
import { readSheets, type Samples, showSamples } from "./samples.ts";
import { showCharts } from "./show_charts.ts";

const data = JSON.parse(document.getElementById("data")!.textContent!) as ReportData;
let samples: Samples | undefined;

showCharts(
  chartSpecs.map((spec) => ({ ...spec, isLarge: spec.id === "loss", curves: (view) => curvesOf(spec, { data, view }) })),
  {
    names: data.runs.map((run) => run.name),
    axes: { step: "step", time: "time trained", tokens: "tokens" },
    onRepaint: () => samples?.redraw(),
  },
);
void readSheets(document.getElementById("sheets")!.textContent!).then((sheets) => {
  samples = showSamples(document.getElementById("samples")!, { data, sheets });
});
