import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { FeatureSummary } from "../feature_pages.ts";
import { madeFeatures } from "../testing/made_features.ts";
import { defaultListView, isFiltering, type ListView, listFeatures, sortKeys, stepInList } from "./list_view.ts";

let features: readonly FeatureSummary[];
beforeAll(async () => {
  ({ features } = await madeFeatures({ features: 36, words: 6 }).overview());
});
const indices = (view: Partial<ListView>, labels?: ReadonlyMap<number, string>): number[] =>
  listFeatures(features, { ...defaultListView, ...view }, { labels }).map(({ index }) => index);

describe("listFeatures", () => {
  it("shows every feature once where nothing is filtered, in whatever order", () => {
    for (const sort of sortKeys)
      for (const descending of [true, false])
        expect(indices({ sort, descending }).toSorted((a, b) => a - b)).toEqual(features.map(({ index }) => index));
  });

  it("orders by what is asked for, and puts those without it last either way", () => {
    for (const descending of [true, false]) {
      const costs = listFeatures(features, { ...defaultListView, sort: "deltaCe", descending }).map(({ deltaCe }) => deltaCe);
      const known = costs.filter((cost) => cost !== null);
      expect(known).toEqual(known.toSorted((a, b) => (descending ? b - a : a - b)));
      expect(costs.slice(known.length).every((cost) => cost === null)).toBe(true);
      expect(known.length).toBeLessThan(costs.length);
    }
  });

  it("finds by number, by words of the label, one's own before the one found, and by a letter", () => {
    const own = new Map([
      [7, "pen down, letter d or o"],
      [8, "The End"],
    ]);
    expect(indices({ query: "7" }, own)).toContain(7);
    expect(indices({ query: "#12" })).toEqual([12]);
    expect(indices({ query: "end the" }, own)).toEqual([8]);
    expect(indices({ query: "o" }, own)).toContain(7);
    expect(indices({ query: "p" }, own)).not.toContain(7);
    expect(indices({ query: features[8]!.label ?? "theta" }, own)).not.toContain(8);
    expect(indices({ query: "no such words" })).toEqual([]);
  });

  it("steps through a list from end to end, and no further", () => {
    const shown = listFeatures(features, { ...defaultListView, states: ["alive"] });
    const walked: number[] = [];
    for (let at: number | null = stepInList(shown, null, 1); at !== null; at = stepInList(shown, at, 1)) walked.push(at);
    expect(walked).toEqual(shown.map(({ index }) => index));
    expect(stepInList(shown, shown[0]!.index, -1)).toBe(null);
    expect(stepInList([], 3, 1)).toBe(null);
  });

  it("leaves out exactly the features that states, factors or densities rule out", () => {
    fc.assert(
      fc.property(
        fc.subarray(["alive", "dense", "dead"] as const),
        fc.integer({ min: -40, max: 0 }),
        fc.integer({ min: 1, max: 40 }),
        (states, from, width) => {
          const range = [from / 10, (from + width) / 10] as const;
          const shown = new Set(indices({ states, range }));
          for (const { index, state, density } of features) {
            const inState = states.length === 0 || states.includes(state);
            const log = Math.log10(density);
            if (Math.abs(log - range[0]) < 1e-6 || Math.abs(log - range[1]) < 1e-6) continue;
            expect(shown.has(index)).toBe(inState && log > range[0] && log < range[1]);
          }
        },
      ),
    );
    const theta = indices({ factor: "theta" });
    expect(theta).toEqual(indices({}).filter((index) => features[index]!.selectivity?.factor === "theta"));
    expect(isFiltering(defaultListView)).toBe(false);
    expect(isFiltering({ ...defaultListView, factor: "theta" })).toBe(true);
  });
});
