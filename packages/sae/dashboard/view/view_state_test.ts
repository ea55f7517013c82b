import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLabelStore } from "./label_store.ts";
import { defaultListView, featureStates, sortKeys } from "./list_view.ts";
import { createFeatureView, featureViewQuery, readFeatureViewQuery } from "./view_state.ts";

describe("featureViewQuery", () => {
  it("says nothing of the default, and whatever is chosen so that it reads back the same", () => {
    expect(featureViewQuery(createFeatureView()).toString()).toBe("");
    const lists = fc.record({
      query: fc.string().map((text) => text.trim()),
      states: fc.subarray([...featureStates]),
      factor: fc.option(fc.constantFrom("theta", "letter")),
      range: fc.option(
        fc.tuple(fc.integer({ min: -24, max: -12 }), fc.integer({ min: -11, max: 0 })).map(([a, b]) => [a / 4, b / 4] as const),
      ),
      sort: fc.constantFrom(...sortKeys),
      descending: fc.boolean(),
    });
    const inks = fc.record({
      show: fc.constantFrom(null, "theta", "radius", "max"),
      scale: fc.constantFrom("shared", "own"),
      form: fc.constantFrom("ink", "table"),
    });
    fc.assert(
      fc.property(lists, inks, (list, ink) => {
        const [one, other] = [createFeatureView(), createFeatureView()];
        one.list.value = list;
        one.ink.value = ink;
        readFeatureViewQuery(other, new URLSearchParams(featureViewQuery(one).toString()));
        expect(other.list.value).toEqual(list);
        expect(other.ink.value).toEqual(ink);
      }),
    );
  });

  it("takes the default in the place of nonsense", () => {
    const view = createFeatureView();
    readFeatureViewQuery(view, new URLSearchParams("sort=wrong&density=2~1&state=half&show=all&scale=&form=x"));
    expect(view.list.value).toEqual(defaultListView);
    expect(view.ink.value).toEqual({ show: null, scale: "shared", form: "ink" });
  });
});

describe("createLabelStore", () => {
  it("keeps labels, gives them out, and forgets those that are emptied", () => {
    const kept = new Map<string, string>();
    const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
    const store = createLabelStore("a", storage);
    store.set(18, " down left ");
    store.set(2, "x");
    store.set(2, " ");
    expect(JSON.parse(store.toJson())).toEqual({ 18: "down left" });
    expect([...createLabelStore("a", storage).labels.value]).toEqual([[18, "down left"]]);
    expect(createLabelStore("b", storage).labels.value.size).toBe(0);
  });

  it("works where nothing can be stored, or something else is", () => {
    const refusing = {
      getItem: () => "not JSON",
      setItem: () => {
        throw new Error("full");
      },
    };
    for (const storage of [null, refusing]) {
      const store = createLabelStore("a", storage);
      store.set(1, "one");
      expect(store.labels.value.get(1)).toBe("one");
    }
  });
});
