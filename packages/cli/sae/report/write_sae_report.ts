import { createHash } from "node:crypto";
import { Html, html, scriptJson } from "../../report/html.ts";
import { pageBundle } from "../../report/page_bundle.ts";
import { paletteProperties } from "../../report/palette.ts";
import { configuration, curveControls, environments, moment, state, warnings } from "../../report/sections.ts";
import { writeWhole } from "../../run/files.ts";
import { short } from "../../terminal/progress.ts";
import { saeKeys } from "../sae_schema.ts";
import type { ReportedSaeRun } from "./read_sae_run.ts";

/** Writes the report of a run of autoencoders as a page by itself. @returns Its size in bytes. */
export async function writeSaeReport(path: string, run: ReportedSaeRun): Promise<number> {
  const page = await saeReportPage(run);
  await writeWhole(path, page);
  return Buffer.byteLength(page);
}

/** The page: one file that fetches nothing; without scripts it still has figures and configuration. */
export async function saeReportPage(run: ReportedSaeRun): Promise<string> {
  const { script, style, licence } = await pageBundle("autoencoders");
  const looks = paletteProperties() + style;
  const hash = (content: string): string => `sha256-${createHash("sha256").update(content).digest("base64")}`;
  const policy = `default-src 'none'; script-src '${hash(script)}'; style-src '${hash(looks)}'; img-src data:; base-uri 'none'; form-action 'none'`;
  const { summary, config, environment, changes, data } = run;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${summary.name}</title>
<!-- Charts are drawn by uPlot (https://github.com/leeoniya/uPlot), which is within the script below.

${new Html(licence)}
-->
<style>${new Html(looks)}</style>
</head>
<body>
<header>
<p class="kicker">Training of sparse autoencoders</p>
<h1>${summary.name}</h1>
<p class="lead">${state(summary.state)} <span>${count(summary.step)} of ${summary.steps === null ? "?" : count(summary.steps)} steps</span> <span>preset ${config.preset}${
    changes.length === 0 ? "" : `, ${changes.length} ${changes.length === 1 ? "value" : "values"} changed`
  }</span> <span>${config.source.activations ?? config.source.hooks.join(", ")}</span>${environment ? html` <span>${environment.adapter?.name}</span> <span>${moment(environment.started)}</span>` : null}</p>
</header>
<main>
${warnings([run])}
${figures(run)}
${data.axes.count > 0 ? curves(run) : null}
${configuration({ config, changes, fields: saeKeys.fields })}
${environments([run])}
</main>
<footer><p>Written on ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC by <code>pnpm cli report</code>. Figures are of training batches: <code>pnpm cli sae eval</code> measures on held-out words what the model loses. This page is one file and fetches nothing.</p></footer>
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>${new Html(script)}</script>
</body>
</html>
`.text;
}

function figures({ summary }: ReportedSaeRun): Html {
  const { members, millisecondsPerStep, rowsPerSecond } = summary;
  const isAlone = members.length === 1;
  return html`<section aria-labelledby="h-members"><h2 id="h-members">${isAlone ? "The autoencoder" : `${members.length} autoencoders on one stream`}</h2>
<p class="about">At the latest step.${
    millisecondsPerStep === null
      ? ""
      : ` A step takes ${Math.round(millisecondsPerStep)} ms (median): ${short(rowsPerSecond!)} rows a second.`
  }</p>
<div class="scroll"><table class="runs"><thead><tr><th scope="col">name</th><th scope="col" class="n">variance explained</th><th scope="col" class="n">features a row (L0)</th><th scope="col" class="n">‖x̂ − x‖²</th><th scope="col" class="n">loss</th><th scope="col" class="n">dead</th><th scope="col" class="n">latents</th></tr></thead>
<tbody>${members.map(
    ({ name, fve, l0, mse, loss, dead, latents }, i) =>
      html`<tr><th scope="row"><label><input type="checkbox" checked data-run="${i}" aria-label="show ${name}"><i class="swatch c${i % 8}"></i>${name}</label></th>${[
        fve?.toFixed(4),
        l0?.toFixed(2),
        mse?.toPrecision(4),
        loss?.toPrecision(4),
        dead === null ? undefined : count(dead),
        latents === null ? undefined : count(latents),
      ].map((text) => html`<td class="n">${text ?? "–"}</td>`)}</tr>`,
  )}</tbody></table></div></section>`;
}

function curves({ data, summary }: ReportedSaeRun): Html {
  const { count: steps, bucket, step } = data.axes;
  const drawn =
    bucket === 1
      ? "each drawn"
      : `drawn as ${count(step.length)} means of ${count(bucket)}, with a band from their least to their greatest`;
  const figure = ({ id, heading, curves }: (typeof data.charts)[number]): Html => html`<figure class="chart" id="chart-${id}">
<figcaption class="chart-name"><h3 id="h-${id}">${heading}</h3>${
    id === "loss" && summary.members.length === 1
      ? html`<div class="key">${curves.map(({ label, colour }) => html`<span class="entry"><i class="line c${colour % 8}"></i>${label}</span>`)}</div>`
      : null
  }</figcaption>
<div class="canvas js" data-chart="${id}" tabindex="0" role="group" aria-roledescription="chart" aria-labelledby="h-${id}" aria-describedby="keys"></div>
<p class="axis js" data-axis aria-hidden="true"></p></figure>`;
  const [loss, ...others] = data.charts;
  return html`<section id="curves" aria-labelledby="h-curves"><h2 id="h-curves">Curves</h2>
${curveControls({ isAlone: summary.members.length === 1, tokens: "rows" })}
<p class="about">${count(steps)} steps, ${drawn}. <span class="js" id="keys">Drag to zoom, double-click for all. By keyboard: arrows read values, + and − zoom, 0 shows all.</span></p>
<noscript><p>The charts need scripts; the table above does not.</p></noscript>
${figure(loss!)}
<div class="small">${others.map(figure)}</div>
<p id="announcer" class="unseen" aria-live="polite"></p>
</section>`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}
