import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { writeWhole } from "../run/files.ts";
import { Html, html, scriptJson } from "./html.ts";
import { pageBundle } from "./page_bundle.ts";
import { paletteProperties } from "./palette.ts";
import type { ReportedRun } from "./read_run.ts";
import type { ReportData, ReportSheets } from "./report_data.ts";
import { sections, titleOf } from "./sections.ts";
import { splitSheet } from "./split_sheet.ts";

/** Writes the report of one run or several as a page by itself. @returns Its size in bytes. */
export async function writeReport(path: string, runs: readonly ReportedRun[]): Promise<number> {
  const page = await reportPage(runs);
  await writeWhole(path, page);
  return Buffer.byteLength(page);
}

/**
 * The page: everything in one file that is read from the disk, with a policy that keeps it from fetching, sending or running anything else.
 * Without scripts it still has the figures, the tables and the configuration.
 */
export async function reportPage(runs: readonly ReportedRun[]): Promise<string> {
  const { script, style, licence } = await pageBundle();
  const looks = paletteProperties() + style;
  const { data, sheets } = curvesAndSheets(runs);
  const policy = [
    "default-src 'none'",
    `script-src '${hash(script)}'`,
    `style-src '${hash(looks)}'`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy.join("; ")}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${titleOf(runs)}</title>
<!-- Charts are drawn by uPlot (https://github.com/leeoniya/uPlot), which is within the script below.

${new Html(licence)}
-->
<style>${new Html(looks)}</style>
</head>
<body>
${sections(runs)}
<script type="application/json" id="data">${scriptJson(data)}</script>
<script type="text/plain" id="sheets">${gzipSync(JSON.stringify(sheets), { level: 9 }).toString("base64")}</script>
<script>${new Html(script)}</script>
</body>
</html>
`.text;
}

function curvesAndSheets(runs: readonly ReportedRun[]): { data: ReportData; sheets: ReportSheets } {
  const places = new Map<string, number>();
  const placeOf = (svg: string): number => {
    const place = places.get(svg) ?? places.size;
    places.set(svg, place);
    return place;
  };
  const data = {
    runs: runs.map(({ summary, config, steps, evaluations, samples }, i) => ({
      name: summary.name,
      colour: i,
      tokensPerStep: config.training.batchSize * config.data.maxLength,
      steps,
      evaluations,
      samples: samples.map(({ step, svg }) => ({ step, sheet: placeOf(svg) })),
    })),
  };
  return { data, sheets: [...places.keys()].map(splitSheet) };
}

function hash(content: string): string {
  return `sha256-${createHash("sha256").update(content).digest("base64")}`;
}
