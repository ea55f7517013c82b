import { activationPicture, StrokeTokenizer } from "@cursive/cursive-model";
import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { describe, expect, it } from "vitest";
import type { FeatureSource } from "../feature_pages.ts";
import { madeFeatures } from "../testing/made_features.ts";
import { RoseChart } from "./charts/rose_chart.tsx";
import { sequencesOf } from "./examples.tsx";
import { LoadedBrowser } from "./feature_browser.tsx";
import { FeaturePageView } from "./feature_page.tsx";
import { counted, percent, signed, spelled } from "./format.ts";
import { createLabelStore } from "./label_store.ts";
import { createFeatureView, type FeatureViewState } from "./view_state.ts";

const hrefOf = (index: number | null): string => `#/${index ?? ""}`;
const bad = `</script><img src=x onerror=alert(1)>`;

async function renderList(source: FeatureSource, view: FeatureViewState = createFeatureView()): Promise<string> {
  const labels = createLabelStore("labels", null);
  return renderToString(h(LoadedBrowser, { overview: await source.overview(), source, view, labels, hrefOf }));
}

async function renderPage(source: FeatureSource, index: number, view: FeatureViewState = createFeatureView()): Promise<string> {
  const page = await source.page(index);
  const sequences = new Map(await Promise.all(sequencesOf(page).map(async (number) => [number, await source.sequence(number)] as const)));
  const settings = { overview: await source.overview(), source, labels: createLabelStore("labels", null), hrefOf, listHref: "#/" };
  return renderToString(h(FeaturePageView, { ...settings, page, sequences, view: view.ink }));
}

/** The text of a page, without markup. */
function textOf(markup: string): string {
  const entities: Readonly<Record<string, string>> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&" };
  return markup
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/&(lt|gt|quot|amp);/g, (entity) => entities[entity]!)
    .replaceAll(/\s+/g, " ");
}

describe("the list of features", () => {
  it("tells how many there are, draws the first of them only, and each with its numbers", async () => {
    const source = madeFeatures({ features: 300, words: 4 });
    const view = createFeatureView();
    view.list.value = { ...view.list.value, sort: "index", descending: false };
    const markup = await renderList(source, view);
    expect(markup).toContain(`aria-rowcount="301"`);
    const rows = [...markup.matchAll(/id="fv-row-(\d+)".*?(?=id="fv-row-|<p class="fv-empty"|class="fv-main")/gs)];
    expect(rows.map(([, index]) => Number(index))).toEqual(rows.map((_, i) => i));
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.length).toBeLessThan(40);
    const { features } = await source.overview();
    for (const [i, [row]] of rows.entries()) {
      const { density, max, state, label } = features[i]!;
      for (const part of [percent(density), spelled(max), state, label ?? "no label"]) {
        if (state !== "dead" || part !== "no label") expect(textOf(row)).toContain(part);
      }
    }
  });

  it("says where nothing matches, and takes labels as text", async () => {
    const source = madeFeatures({ words: 4, label: bad });
    const view = createFeatureView();
    const all = await renderList(source, view);
    expect(all).not.toContain("<img");
    expect(textOf(all)).toContain(bad);
    view.list.value = { ...view.list.value, query: "nothing has this" };
    expect(textOf(await renderList(source, view))).toContain("No features match. Clear filters");
  });
});

describe("the page of a feature", () => {
  it("shows the numbers of its data", async () => {
    const source = madeFeatures({ words: 6 });
    const [page, { features }] = [await source.page(2), await source.overview()];
    const text = textOf(await renderPage(source, 2));
    const { density, max, deltaCe, label } = features[2]!;
    for (const part of [label!, percent(density), spelled(max), `${signed(deltaCe!)} nats`, spelled(page.decoderNorm)])
      expect(text).toContain(part);
    expect(text).toContain(`${counted(page.firings)} firings`);
    for (const { clause, bits, shuffled } of page.tuning.factors) {
      if (clause) expect(text).toContain(clause);
      expect(text).toContain(`${spelled(Number(Math.max(0, bits - shuffled.mean).toFixed(4)))} bits beyond chance`);
    }
    for (const { token, deltaCe: cost } of page.ablation!.byClass) expect(text).toContain(`${token} ${signed(cost)}`);
    for (const { latent, value } of [...page.nearest, ...page.correlated])
      expect(text).toMatch(new RegExp(`${latent} .*${spelled(value)}`));
    for (const { index, weight } of page.neurons) expect(text).toContain(`${index} ${signed(weight)}`);
  });

  it("draws every example, with each of its active marks as strong as activations are", async () => {
    const source = madeFeatures({ words: 6 });
    const page = await source.page(0);
    const view = createFeatureView();
    view.ink.value = { ...view.ink.value, show: "radius" };
    const markup = await renderPage(source, 0, view);
    const cards = page.examples.flatMap(({ examples }) => examples);
    const drawn = [...markup.matchAll(/<figure class="fv-card">.*?<\/figure>/gs)].map(([card]) => card);
    expect(drawn).toHaveLength(cards.length);
    const tokenizer = new StrokeTokenizer((await source.overview()).tokenizer);
    for (const [i, { sequence, position, activation, positions, values }] of cards.entries()) {
      const { tokens, text } = await source.sequence(sequence);
      const activations = tokens.map((_, t) => values[positions.indexOf(t)] ?? 0);
      const { marks, ring } = activationPicture(tokens, { tokenizer, activations, show: "radius", ring: position });
      expect(drawn[i]!.match(/light-dark/g) ?? []).toHaveLength(marks.filter(({ strength }) => strength > 0).length);
      expect(drawn[i]!.includes("fv-ring")).toBe(ring !== null);
      expect(textOf(drawn[i]!)).toContain(`${spelled(activation)} ${text}`);
      expect(drawn[i]!).toMatch(/role="slider"[^>]*aria-valuetext="[^"]*(direction|length|nothing drawn)/);
    }
  });

  it("shows of a dead feature what its decoder says, and no ink", async () => {
    const source = madeFeatures({ words: 4 });
    const text = textOf(await renderPage(source, 5));
    expect(text).toContain("This feature never fired on");
    expect(text).toContain("Effect on logits");
    expect(text).toContain("writes alike");
    expect(text).not.toContain("Strongest");
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe("RoseChart", () => {
  it("draws each sector towards where the pen goes, y down, as long as its value", () => {
    for (const angle of [0, 0.5, 1.2, 2, 3, -1, -2.5]) {
      const sectors = [{ from: angle - 0.1, to: angle + 0.1, value: 2, title: "it" }];
      const markup = renderToString(h(RoseChart, { sectors, summary: "a rose", max: 4 }));
      const path = / d="M([^Z"]*)/.exec(markup.slice(markup.indexOf("fv-above")))![1]!;
      // start of the arc, and its end: the middle between lies in the direction of the sector
      const [startX, startY] = path.split(/[,A]/).map(Number) as [number, number];
      const [endX, endY] = /A[^L]*?,([-\d.e]+),([-\d.e]+)L/.exec(path)!.slice(1).map(Number) as [number, number];
      const [x, y] = [(startX + endX) / 2, (startY + endY) / 2];
      expect(Math.hypot(x / Math.hypot(x, y) - Math.cos(angle), y / Math.hypot(x, y) - Math.sin(angle))).toBeLessThan(1e-3);
      expect(Math.hypot(startX, startY)).toBeCloseTo(84 / 2, 2);
    }
  });
});
