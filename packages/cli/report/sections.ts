import { valueAt } from "../config/resolve.ts";
import { runFields } from "../config/run_schema.ts";
import type { NamedField } from "../config/schema_keys.ts";
import { clock, short } from "../terminal/progress.ts";
import { chartTable } from "./chart_table.ts";
import { Html, html } from "./html.ts";
import type { ReportedRun } from "./read_run.ts";

/** What a report is called. */
export function titleOf(runs: readonly ReportedRun[]): string {
  return runs.map((run) => run.summary.name).join(", ");
}

/** All that a report's page shows; charts and sheets are drawn into it by its script. */
export function sections(runs: readonly ReportedRun[]): Html {
  return html`<header>
<p class="kicker">Training report</p>
<h1>${runs.length === 1 ? titleOf(runs) : `${runs.length} runs compared`}</h1>
${runs.length === 1 ? lead(runs[0]!) : null}
</header>
<main>
${warnings(runs)}
${runs.length === 1 ? figures(runs[0]!) : runTable(runs)}
${samples(runs)}
${curves(runs)}
${runs.length === 1 ? configuration({ ...runs[0]!, fields: runFields }) : differences(runs)}
${environments(runs)}
</main>
<footer><p>Written on ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC by <code>pnpm cli report</code>. This page is one file and fetches nothing.</p></footer>`;
}

function lead({ summary, config, changes, environment }: ReportedRun): Html {
  const changed = changes.length === 0 ? "" : `, ${changes.length} ${changes.length === 1 ? "value" : "values"} changed`;
  return html`<p class="lead">${state(summary.state)} <span>${progressOf(summary)}</span> <span>preset ${config.preset}${changed}</span>${
    environment ? html` <span>${environment.adapter?.name}</span> <span>${moment(environment.started)}</span>` : null
  }</p>`;
}

/** Where a run stands, as a badge. */
export function state(name: string): Html {
  return html`<span class="state ${name}">${name}</span>`;
}

function progressOf({ step, steps }: ReportedRun["summary"]): string {
  return `${whole(step)} of ${steps === null ? "?" : whole(steps)} steps`;
}

/** What somebody who looks at the curves should know. */
export function warnings(
  runs: readonly { readonly summary: { readonly name: string }; readonly warnings: readonly string[] }[],
): Html | null {
  const lines = runs.flatMap((run) => run.warnings.map((text) => (runs.length > 1 ? `${run.summary.name}: ${text}` : text)));
  if (lines.length === 0) return null;
  return html`<section class="notes" aria-label="Notes"><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul></section>`;
}

function figures({ summary, steps, evaluations }: ReportedRun): Html {
  const bestAt = evaluations.step[evaluations.testLoss.indexOf(summary.bestTestLoss === null ? null : summary.bestTestLoss)];
  const seconds = steps.seconds.at(-1);
  const tiles: [string, string, string][] = [
    [
      "Test loss",
      loss(summary.testLoss),
      summary.bestTestLoss === null ? "not evaluated yet" : `best ${loss(summary.bestTestLoss)} at step ${whole(bestAt ?? 0)}`,
    ],
    ["Test loss, real tokens", loss(summary.testLossReal), "without padding"],
    ["Training loss", loss(steps.loss.mean.at(-1) ?? null), "over all tokens, latest"],
    ["Speed", summary.tokensPerSecond === null ? "–" : short(summary.tokensPerSecond), "tokens a second, median"],
    ["A step", summary.millisecondsPerStep === null ? "–" : `${Math.round(summary.millisecondsPerStep)} ms`, "median"],
    ["Trained for", seconds === undefined ? "–" : clock(seconds), "without evaluations and pauses"],
  ];
  return html`<section aria-label="Key figures"><dl class="tiles">${tiles.map(
    ([name, value, about]) => html`<div><dt>${name}</dt><dd><b>${value}</b><small>${about}</small></dd></div>`,
  )}</dl></section>`;
}

function runTable(runs: readonly ReportedRun[]): Html {
  const best = Math.min(...runs.map(({ summary }) => summary.bestTestLoss ?? Number.POSITIVE_INFINITY));
  return html`<section aria-labelledby="h-runs"><h2 id="h-runs">Runs</h2><div class="scroll"><table class="runs">
<thead><tr><th scope="col">run</th><th scope="col">state</th><th scope="col" class="n">steps</th><th scope="col" class="n">best test loss</th><th scope="col" class="n">test loss</th><th scope="col" class="n">on real tokens</th><th scope="col" class="n">training loss</th><th scope="col" class="n">ms a step</th><th scope="col" class="n">tokens/s</th><th scope="col" class="n">trained for</th></tr></thead>
<tbody>${runs.map(
    ({ summary, steps }, i) => html`<tr>
<th scope="row"><label><input type="checkbox" checked data-run="${i}" aria-label="show ${summary.name}"><i class="swatch c${i % 8}"></i>${summary.name}</label></th>
<td>${state(summary.state)}</td><td class="n">${whole(summary.step)}</td><td class="n">${
      summary.bestTestLoss === best ? html`<b title="the least">${loss(summary.bestTestLoss)}</b>` : loss(summary.bestTestLoss)
    }</td><td class="n">${loss(summary.testLoss)}</td><td class="n">${loss(summary.testLossReal)}</td><td class="n">${loss(steps.loss.mean.at(-1) ?? null)}</td><td class="n">${
      summary.millisecondsPerStep === null ? "–" : Math.round(summary.millisecondsPerStep)
    }</td><td class="n">${summary.tokensPerSecond === null ? "–" : short(summary.tokensPerSecond)}</td><td class="n">${clock(steps.seconds.at(-1) ?? 0)}</td></tr>`,
  )}</tbody></table></div></section>`;
}

function samples(runs: readonly ReportedRun[]): Html {
  const isAlone = runs.length === 1;
  if (runs.every((run) => run.samples.length === 0))
    return html`<section id="samples" aria-labelledby="h-samples"><h2 id="h-samples">What it writes</h2><p class="about">No samples have been drawn yet.</p></section>`;
  const thinned = runs.filter((run) => run.samples.length < run.sampleCount);
  return html`<section id="samples" aria-labelledby="h-samples"><h2 id="h-samples">What ${isAlone ? "it writes" : "they write"}</h2>
<p class="about">The same texts, written by the model as it stood at each step.${thinned.map(
    (run) => ` Of ${run.summary.name}'s ${run.sampleCount} sheets ${run.samples.length} are shown.`,
  )}</p>
<div class="player js"><button type="button" data-act="play" aria-pressed="false">Play</button><button type="button" data-act="back" aria-label="one sheet back">‹</button><input type="range" min="0" max="0" value="0" aria-label="step of the samples"><button type="button" data-act="on" aria-label="one sheet on">›</button><output></output></div>
<div class="sheets${isAlone ? " alone" : ""}">${runs.map(
    ({ summary }, i) =>
      html`<figure class="sheet" data-sheet>${
        isAlone
          ? html`<figcaption class="sheet-name" hidden data-step></figcaption>`
          : html`<figcaption class="sheet-name"><i class="swatch c${i % 8}"></i>${summary.name}<span data-step></span></figcaption>`
      }<div class="words"></div></figure>`,
  )}</div><noscript><p>Without scripts the samples can be seen in the run's folder, in <code>samples/</code>.</p></noscript></section>`;
}

function curves(runs: readonly ReportedRun[]): Html {
  const isAlone = runs.length === 1;
  const chart = (
    id: Parameters<typeof chartTable>[0],
    heading: string,
    about: Html | string | null,
  ): Html => html`<figure class="chart" id="chart-${id}">
<figcaption class="chart-name"><h3 id="h-${id}">${heading}</h3>${about}</figcaption>
<div class="canvas js" data-chart="${id}" tabindex="0" role="group" aria-roledescription="chart" aria-labelledby="h-${id}" aria-describedby="keys"></div>
<p class="axis js" data-axis aria-hidden="true"></p>
${chartTable(id, runs)}
</figure>`;
  const swatches = isAlone ? ["c0", "c1", "c2"] : ["ink", "ink", "ink"];
  const key = (["training", "test", "test, real tokens"] as const).map(
    (name, i) =>
      html`<label><input type="checkbox" name="losses" value="${name}" form="view" checked><i class="line ${["", "dashed", "dotted"][i]} ${swatches[i]}"></i>${name}</label>`,
  );
  return html`<section id="curves" aria-labelledby="h-curves"><h2 id="h-curves">Curves</h2>
${curveControls({ isAlone, tokens: "tokens" })}
${thinning(runs)}
<noscript><p>The charts need scripts; the tables do not.</p></noscript>
${chart("loss", "Loss", html`<div class="key js">${key}</div>`)}
<div class="small">
${chart("lr", "Learning rate", null)}
${chart("tokens", "Tokens a second", null)}
${chart("milliseconds", "Milliseconds a step", null)}
</div>
<p id="announcer" class="unseen" aria-live="polite"></p>
</section>`;
}

/** What to show of curves, and how. */
export function curveControls({ isAlone, tokens }: { readonly isAlone: boolean; readonly tokens: string }): Html {
  return html`<form class="controls js" id="view">
<fieldset><legend>Against</legend><label><input type="radio" name="x" value="step" checked>step</label><label><input type="radio" name="x" value="time">time</label><label><input type="radio" name="x" value="tokens">${tokens}</label></fieldset>
<fieldset><legend>Logarithmic</legend><label><input type="checkbox" name="logLoss">loss</label><label><input type="checkbox" name="logX">axis</label></fieldset>
<label class="slider"><span>Smoothing</span><input type="range" name="smoothing" min="0" max="0.99" step="0.01" value="${isAlone ? 0.6 : 0.9}"><output></output></label>
<label><input type="checkbox" name="raw"${isAlone ? new Html(" checked") : null}>raw values</label>
<button type="button" data-act="reset" disabled>Show all</button>
</form>`;
}

/** How exactly the curves show what was measured. */
function thinning(runs: readonly ReportedRun[]): Html {
  const lines = runs.map(({ steps, evaluations }) => {
    const drawn =
      steps.bucket === 1
        ? "each drawn"
        : `drawn as ${whole(steps.step.length)} means of ${whole(steps.bucket)}, with a band from their least to their greatest`;
    return `${whole(steps.count)} steps, ${drawn}; ${whole(evaluations.step.length)} evaluations.`;
  });
  const keys = html`<span class="js" id="keys">Drag to zoom, double-click for all. By keyboard: arrows read values, + and − zoom, 0 shows all.</span>`;
  if (lines.every((line) => line === lines[0]))
    return html`<p class="about">${runs.length > 1 ? "Each run: " : null}${lines[0]} ${keys}</p>`;
  const list = runs.map(({ summary }, i) => html`<li>${summary.name}: ${lines[i]}</li>`);
  return html`<p class="about">${keys}</p><ul class="about">${list}</ul>`;
}

/** A configuration: what is not as its preset has it, then the rest. */
export function configuration({
  config,
  changes,
  fields,
}: Pick<ReportedRun, "changes"> & { readonly config: { readonly preset: string }; readonly fields: readonly NamedField[] }): Html {
  const changed = new Set(changes.map(({ path }) => path));
  const same = fields.filter(({ path }) => !changed.has(path));
  const rows = changes.map(
    ({ path, preset, value }) =>
      html`<tr><th scope="row"><code>${path}</code></th><td><b>${plain(value)}</b></td><td>${plain(preset)}</td></tr>`,
  );
  return html`<section aria-labelledby="h-config"><h2 id="h-config">Configuration</h2>
${
  changes.length === 0
    ? html`<p class="about">Preset ${config.preset}, nothing changed.</p>`
    : html`<div class="scroll"><table><thead><tr><th scope="col">changed</th><th scope="col">here</th><th scope="col">preset ${config.preset}</th></tr></thead><tbody>${rows}</tbody></table></div>`
}
<details><summary>${changes.length === 0 ? "All" : "The other"} ${same.length} values</summary><div class="scroll"><table><tbody>${same.map(
    ({ path, field }) =>
      html`<tr><th scope="row"><code>${path}</code></th><td>${plain(valueAt(config, path))}</td><td class="doc">${field.doc}</td></tr>`,
  )}</tbody></table></div></details></section>`;
}

function differences(runs: readonly ReportedRun[]): Html {
  const differing = runFields
    .map(({ path }) => ({ path, values: runs.map((run) => valueAt(run.config, path)) }))
    .filter(({ values }) => values.some((value) => JSON.stringify(value) !== JSON.stringify(values[0])));
  return html`<section aria-labelledby="h-config"><h2 id="h-config">Configuration</h2>${
    differing.length === 0
      ? html`<p class="about">All runs are configured alike.</p>`
      : html`<div class="scroll"><table><thead><tr><th scope="col">what differs</th>${runs.map(
          ({ summary }, i) => html`<th scope="col"><i class="swatch c${i % 8}"></i>${summary.name}</th>`,
        )}</tr></thead><tbody>${differing.map(
          ({ path, values }) =>
            html`<tr><th scope="row"><code>${path}</code></th>${values.map((value) => html`<td>${plain(value)}</td>`)}</tr>`,
        )}</tbody></table></div>`
  }</section>`;
}

/** Where runs took place, and on what. */
export function environments(
  runs: readonly {
    readonly summary: Pick<ReportedRun["summary"], "name">;
    readonly environment: ReportedRun["environment"];
    readonly config: { readonly seed: number };
  }[],
): Html {
  const facts = ({ environment, config }: (typeof runs)[number]): [string, string][] =>
    environment
      ? [
          ["started", moment(environment.started)],
          ["GPU", environment.adapter?.name ?? "unknown"],
          ["kernels", environment.adapter?.kernels ?? "unknown"],
          ["processor", environment.cpu],
          ["platform", `${environment.platform}, Node ${environment.node}`],
          [
            "packages",
            Object.entries(environment.packages ?? {})
              .map(([name, version]) => `${name} ${version}`)
              .join(", "),
          ],
          ["commit", environment.commit?.replace(/^(\w{12})\w*/, "$1") ?? "unknown"],
          ["seed", String(config.seed)],
          ["SHA-256 of the data", environment.dataHash?.slice(0, 16) ?? "unknown"],
        ]
      : [["", "env.json is missing or damaged"]];
  const all = runs.map(facts);
  const names = [...new Set(all.flatMap((list) => list.map(([name]) => name)))];
  return html`<section aria-labelledby="h-env"><h2 id="h-env">Environment</h2><div class="scroll"><table class="environment">${
    runs.length > 1
      ? html`<thead><tr><td></td>${runs.map(({ summary }, i) => html`<th scope="col"><i class="swatch c${i % 8}"></i>${summary.name}</th>`)}</tr></thead>`
      : null
  }<tbody>${names.map((name) => {
    const values = all.map((list) => list.find(([known]) => known === name)?.[1] ?? "–");
    const isCommon = values.every((value) => value === values[0]);
    return html`<tr><th scope="row">${name}</th>${isCommon ? html`<td colspan="${runs.length}">${values[0]!}</td>` : values.map((value) => html`<td>${value}</td>`)}</tr>`;
  })}</tbody></table></div></section>`;
}

function loss(value: number | null): string {
  return value === null ? "–" : value.toFixed(4);
}

function whole(value: number): string {
  return value.toLocaleString("en");
}

/** A time for people. */
export function moment(iso: string): string {
  return `${String(iso).slice(0, 16).replace("T", " ")} UTC`;
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
