import "./language.ts";
import type { SaeReportData } from "../../sae/report/report_data.ts";
import { spreadCurves } from "./curves.ts";
import { showCharts } from "./show_charts.ts";
import type { View } from "./view.ts";

const { members, axes, rowsPerStep, charts } = JSON.parse(document.getElementById("data")!.textContent!) as SaeReportData;

if (axes.count > 0)
  showCharts(
    charts.map(({ id, isLoss, isRobust, curves }) => ({
      id,
      isRobust,
      isLarge: isLoss,
      isLog: (view) => isLoss && view.logLoss,
      curves: (view) =>
        curves
          .filter(({ member }) => !view.hidden.has(member))
          .flatMap(({ member: run, label, colour, spread }) => spreadCurves(spread, { x: xOf(view), run, label, colour, view })),
    })),
    { names: members, axes: { step: "step", time: "time trained", tokens: "rows" } },
  );

function xOf({ x }: View): readonly number[] {
  if (x === "time") return axes.seconds;
  return x === "tokens" ? axes.step.map((step) => step * rowsPerStep) : axes.step;
}
