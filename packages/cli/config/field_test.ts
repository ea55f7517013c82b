import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flag, listOf, number, oneOf, orNull, pairOf, quoted, readText, text, whole } from "./field.ts";

describe("fields", () => {
  it("say what they expect, and accept that alone", () => {
    const cases = [
      { field: whole("", { from: 1 }), expects: "a whole number from 1", good: [1, 7], bad: [0, 1.5, "1", null, Number.NaN] },
      { field: whole("", { from: 0, to: 9 }), expects: "a whole number from 0 to 9", good: [0, 9], bad: [-1, 10] },
      { field: number("", { above: 0 }), expects: "a number above 0", good: [1e-9, 5], bad: [0, -1, Number.POSITIVE_INFINITY, "1"] },
      { field: number("", { from: 0, below: 1 }), expects: "a number from 0 below 1", good: [0, 0.99], bad: [1, -0.1] },
      { field: number("", { above: 0, to: 1 }), expects: "a number above 0 to 1", good: [1, 0.1], bad: [0, 1.1] },
      { field: text(""), expects: "a text", good: ["x"], bad: ["", 1, null] },
      { field: flag(""), expects: "true or false", good: [true, false], bad: ["true", 0] },
      { field: oneOf("", ["a", "b"]), expects: "one of a, b", good: ["a"], bad: ["c", 1] },
      { field: orNull(whole("", { from: 1 })), expects: "a whole number from 1, or null", good: [null, 1], bad: [0, undefined] },
      { field: listOf(text("")), expects: "a list, each a text", good: [["a"], ["a", "b"]], bad: [[], [1], "a"] },
      {
        field: pairOf(whole("", { from: 1 })),
        expects: "a list of two, each a whole number from 1",
        good: [[1, 2]],
        bad: [[1], [1, 2, 3], 1],
      },
    ];
    for (const { field, expects, good, bad } of cases) {
      expect(field.expects).toBe(expects);
      expect(good.map((value) => field.accepts(value))).toEqual(good.map(() => true));
      expect(bad.map((value) => field.accepts(value))).toEqual(bad.map(() => false));
    }
  });
});

describe("readText()", () => {
  it("reads what the field takes: JSON, else the text itself, else a list with commas", () => {
    expect(readText(number("", { above: 0 }), "5e-3")).toBe(0.005);
    expect(readText(text(""), "123")).toBe("123");
    expect(readText(orNull(number("", { above: 0 })), "null")).toBe(null);
    expect(readText(listOf(text("")), '["ink, blue","wave"]')).toEqual(["ink, blue", "wave"]);
    expect(readText(listOf(text("")), "ink, wave")).toEqual(["ink", "wave"]);
    expect(readText(listOf(text("")), "7,8")).toEqual(["7", "8"]);
    expect(readText(pairOf(number("", { from: 0 })), "0.9,0.99")).toEqual([0.9, 0.99]);
    expect(readText(flag(""), "true")).toBe(true);
    expect(readText(whole("", { from: 1 }), "many")).toBe("many");
  });

  it("gives back every number and every text that is written as JSON", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string({ minLength: 1 }), (value, name) => {
        expect(readText(number("", {}), JSON.stringify(value))).toBe(value + 0); // JSON has no negative zero
        expect(readText(oneOf("", [name]), name)).toBe(name);
      }),
    );
  });
});

describe("quoted()", () => {
  it("keeps any value on one line of bounded length", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(quoted(value).length).toBeLessThan(62);
        expect(quoted(value)).not.toContain("\n");
      }),
    );
    expect(quoted(undefined)).toBe("undefined");
  });
});
