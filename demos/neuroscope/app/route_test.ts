import { beforeAll, describe, expect, it, vi } from "vitest";
import { goBackTo, goTo, linkTo, parseRoute, route, setParams } from "./route.ts";

describe("parseRoute()", () => {
  it("reads page, path and parameters", () => {
    const { page, path, params } = parseRoute("#/features/18/steer?text=pen%20%26%20ink&seed=3");
    expect([page, path, Object.fromEntries(params)]).toEqual(["features", ["18", "steer"], { text: "pen & ink", seed: "3" }]);
  });

  it("takes an empty hash, and escapes that are none, as they are", () => {
    expect(parseRoute("")).toMatchObject({ page: "", path: [] });
    expect(parseRoute("#/write/%E0%A4%A?text=100%")).toMatchObject({ page: "write", path: ["%E0%A4%A"] });
    expect(parseRoute("#/write?text=a?b").params.get("text")).toBe("a?b");
  });

  it("reads what linkTo() made, whatever the text", () => {
    for (const text of ["a b", "&=?#/%", "é 你"]) {
      const { page, path, params } = parseRoute(linkTo("write", { path: [text], params: { text, none: undefined, off: true, on: false } }));
      expect([page, path, Object.fromEntries(params)]).toEqual(["write", [text], { text, off: "1" }]);
    }
  });
});

describe("places in the app", () => {
  beforeAll(() => vi.stubGlobal("history", { pushState: () => {}, replaceState: () => {} }));
  const text = (): string | null => route.value.params.get("text");

  it("keep what was typed, whatever pages one goes by, and each what is its own", () => {
    goTo("write", { params: { text: "pen and ink", slant: 20 } });
    goTo("features", { path: [18], params: { sort: "-max" } });
    goTo("train");
    goTo("features", { path: ["scope"] });
    expect(text()).toBe("pen and ink");
    setParams({ text: "joy", temperature: 0.2 });
    goBackTo("train");
    goBackTo("write");
    expect(Object.fromEntries(route.value.params)).toEqual({ text: "joy", temperature: "0.2", slant: "20" });
    goBackTo("write");
    expect(route.value.params.get("slant")).toBe("20");
  });

  it("tell an empty text from none", () => {
    goTo("write", { params: { text: "" } });
    goTo("attention");
    expect(text()).toBe("");
    expect(parseRoute(linkTo("write")).params.get("text")).toBe("");
    setParams({ text: null });
    goBackTo("write");
    expect(text()).toBe(null);
  });

  it("remember the first page's own settings where its link names no page", () => {
    goTo("", { params: { slant: 5 } });
    goBackTo("attention");
    goBackTo("write");
    expect(route.value.params.get("slant")).toBe("5");
  });
});
