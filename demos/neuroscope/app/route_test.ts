import { describe, expect, it } from "vitest";
import { linkTo, parseRoute } from "./route.ts";

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
