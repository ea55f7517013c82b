import { createHash } from "node:crypto";
import type { Estimate } from "@cursive/sae";
import { Html, html } from "../../report/html.ts";
import { pageBundle } from "../../report/page_bundle.ts";
import { paletteProperties } from "../../report/palette.ts";
import { densityChart, sharedAxes } from "./charts.ts";
import { type ComparedSae, differingKeys, shown, shownMmcs } from "./describe.ts";
import { byImportance, effectiveL1, reasonFor } from "./reasons.ts";

/** What a comparison was measured on. */
export interface ComparisonAbout {
  /** The model or models, in words. */
  readonly models: readonly string[];
  readonly split: "test" | "train";
}

/** A figure of the table: what it is, its value, and which end of it is better. */
interface Figure {
  readonly name: string;
  readonly about: string;
  readonly of: (sae: ComparedSae) => { readonly text: string; readonly value?: number };
  readonly better?: "more" | "less";
}

const figures: readonly Figure[] = [
  {
    name: "loss added",
    about: "nats a token that the model loses with reconstructions in place; the number to compare by",
    of: ({ evaluation }) => estimate(evaluation.effect.real.sae.deltaCe),
    better: "less",
  },
  {
    name: "recovered, of the mean",
    about: "share of what the mean activation in its place destroys that stays intact",
    of: ({ evaluation }) => recovered(evaluation.effect.real.recovered.mean),
    better: "more",
  },
  {
    name: "recovered, of zeros",
    about: "the same against zeros, which are often worse than guessing: it flatters",
    of: ({ evaluation }) => recovered(evaluation.effect.real.recovered.zero),
    better: "more",
  },
  {
    name: "variance explained",
    about: "0 for the mean, 1 for the activation itself",
    of: ({ evaluation }) => estimate(evaluation.reconstruction.fve),
    better: "more",
  },
  {
    name: "features a row (L0)",
    about: "how many it takes; fewer are easier to read",
    of: ({ evaluation }) => estimate(evaluation.reconstruction.l0, 2),
    better: "less",
  },
  {
    name: "length of reconstructions",
    about: "against the activation's: below 1 they shrink, as an L1 penalty makes them",
    of: ({ evaluation }) => estimate(evaluation.reconstruction.normRatio),
  },
  { name: "latents", about: "in all", of: ({ evaluation }) => count(evaluation.activity.density.length) },
  {
    name: "alive",
    about: "fire on more than 1 in 100,000 rows, or at all where rows are fewer",
    of: ({ evaluation }) => count(evaluation.activity.alive),
  },
  { name: "dead", about: "never fired on these rows", of: ({ evaluation }) => count(evaluation.activity.dead) },
  {
    name: "dense",
    about: "fire on more than 10 % of rows: rarely about one thing",
    of: ({ evaluation }) => count(evaluation.activity.dense.over10Percent.latents),
    better: "less",
  },
];

/**
 * Autoencoders side by side on a page by itself: figures, how often latents fire, what is configured differently and what such a difference
 * does. One file without scripts, which fetches nothing.
 */
export async function comparisonPage(compared: readonly ComparedSae[], about: ComparisonAbout): Promise<string> {
  const looks = `${paletteProperties()}${(await pageBundle()).style}`;
  const hash = createHash("sha256").update(looks).digest("base64");
  const names = compared.map(({ name }) => name);
  const seen = about.split === "test" ? compared.filter(({ words }) => words.trainedOn).map(({ name }) => name) : [];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${names.join(", ")}</title>
<style>${new Html(looks)}</style>
</head>
<body>
<header>
<p class="kicker">Sparse autoencoders compared</p>
<h1>${names.join(" and ")}</h1>
<p class="lead"><span>${about.models.join("; ")}</span> <span>${compared[0]!.evaluation.activity.rows.toLocaleString("en")} rows of ink, ${
    about.split === "test" ? "held-out words" : "words that the model was trained on"
  }</span>${seen.length > 0 ? html` <span>${seen.join(", ")}: trained on these words, which are held out from the model alone</span>` : null}</p>
</header>
<main>
${figureTable(compared)}
${densities(compared)}
${differences(compared)}
</main>
<footer><p>Written on ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC by <code>pnpm cli sae compare</code>. Each ± is one standard error over sequences. This page is one file and fetches nothing.</p></footer>
</body>
</html>
`.text;
}

function figureTable(compared: readonly ComparedSae[]): Html {
  return html`<section aria-labelledby="h-figures"><h2 id="h-figures">What they do</h2>
<div class="scroll"><table>
<thead><tr><th scope="col"></th>${heads(compared)}<th scope="col">what it is</th></tr></thead>
<tbody>${figures.map(({ name, about, of, better }) => {
    const cells = compared.map(of);
    const values = cells.flatMap(({ value }) => (value === undefined ? [] : [value]));
    const best = better && (better === "more" ? Math.max(...values) : Math.min(...values));
    const isTold = new Set(values).size > 1;
    return html`<tr><th scope="row">${name}</th>${cells.map(
      ({ text, value }) => html`<td class="n">${isTold && value === best ? html`<b title="the better one">${text}</b>` : text}</td>`,
    )}<td class="doc">${about}</td></tr>`;
  })}
${compared.map(
  (other, i) =>
    html`<tr><th scope="row">MMCS in ${other.name}</th>${compared.map(
      (sae) => html`<td class="n">${sae === other ? "·" : shownMmcs(sae.foundIn[i] ?? null)}</td>`,
    )}<td class="doc">mean over a column's latents that fire of the greatest cosine with one of ${other.name}'s that does: 1 where all are found again</td></tr>`,
)}</tbody></table></div></section>`;
}

function densities(compared: readonly ComparedSae[]): Html {
  const all = compared.map(({ evaluation: { activity } }) => ({ histogram: activity.histogram, dead: activity.dead }));
  const axes = sharedAxes(all);
  return html`<section aria-labelledby="h-densities"><h2 id="h-densities">How often latents fire</h2>
<p class="about">Latents by the share of rows on which they fire. A single count of dead ones hides what this shows: latents that fire too rarely to be of use, or on everything.</p>
${compared.map(
  ({ name, evaluation: { activity } }, i) =>
    html`<figure class="chart"><figcaption class="chart-name"><h3>${name}</h3></figcaption>${densityChart(all[i]!, {
      ...axes,
      colour: i % 8,
      label: `${name}: ${activity.dead} of ${activity.density.length} latents never fire, ${activity.dense.over10Percent.latents} fire on more than 10 % of rows`,
    })}</figure>`,
)}</section>`;
}

function differences(compared: readonly ComparedSae[]): Html | null {
  const configs = compared.map(({ config }) => config);
  const keys = byImportance(differingKeys(configs));
  const effective = compared.map(effectiveL1);
  if (keys.length === 0) return null;
  const row = (key: string, cells: readonly string[], about: string | undefined): Html =>
    html`<tr><th scope="row"><code>${key}</code></th>${cells.map((cell) => html`<td class="n">${cell}</td>`)}<td class="doc">${about ?? ""}</td></tr>`;
  return html`<section aria-labelledby="h-differences"><h2 id="h-differences">What is different, and what that does</h2>
<div class="scroll"><table><thead><tr><th scope="col"></th>${heads(compared)}<th scope="col">what it does</th></tr></thead>
<tbody>${keys.map((key) =>
    row(
      key,
      configs.map((config) => (Array.isArray(config[key]) ? config[key].join(", ") : shown(config[key]))),
      reasonFor(key),
    ),
  )}
${
  effective.some((weight) => weight !== null)
    ? row(
        "L1 on a row",
        effective.map((weight) => (weight === null ? "-" : String(Number(weight.toPrecision(3))))),
        "What the L1 coefficient comes to beside a row's squared error, for batches of the size trained with.",
      )
    : null
}</tbody></table></div></section>`;
}

function heads(compared: readonly ComparedSae[]): Html[] {
  return compared.map(({ name }, i) => html`<th scope="col" class="n"><i class="swatch c${i % 8}"></i>${name}</th>`);
}

function count(value: number): { text: string; value: number } {
  return { text: value.toLocaleString("en"), value };
}

function estimate({ value, standardError }: Estimate, digits = 3): { text: string; value: number } {
  return { text: `${value.toFixed(digits)} ± ${Number.isNaN(standardError) ? "?" : standardError.toFixed(digits)}`, value };
}

function recovered({ ce, isIllConditioned }: { readonly ce: Estimate; readonly isIllConditioned: boolean }): {
  text: string;
  value?: number;
} {
  if (isIllConditioned) return { text: "destroys too little" };
  const { text } = estimate({ ...ce, value: 100 * ce.value, standardError: 100 * ce.standardError }, 1);
  return { text: `${text} %`, value: ce.value };
}
