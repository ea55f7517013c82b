import { describe, expect, it } from "vitest";
import { createHtml, tokenVis } from "./token_html.ts";

const span = (color: string, text: string): string =>
  `<span style="background-color: ${color}; border: 1px solid lightgray; font-size: 16px; border-radius: 3px;">${text}</span>`;
const colors = (html: string): string[] => [...html.matchAll(/background-color: (#\w+);/g)].map(([, color]) => color!);

// What Python gives, by hand: hsv_to_rgb(0.66, s, 1) = (1 − s, 1 − 0.96 s, 1), times 255, cut to whole numbers.
describe("createHtml", () => {
  it("colours strings from white to blue, half of it at the greatest value", () => {
    expect(createHtml(["one", "two"], [0, 1], { maxValue: 1 })).toBe(span("#ffffff", "one") + span("#7f84ff", "two"));
    // 1 / 1.001 of 0.5 is 0.4995: 255 · 0.5005 = 127.6, 255 · (1 − 0.96 · 0.4995) = 132.7
    expect(colors(createHtml(["a", "b"], [1, 0]))).toEqual(["#7f84ff", "#ffffff"]);
    expect(colors(createHtml(["a", "b"], [2, 4], { maxValue: 4, saturation: 1 }))).toEqual(["#7f84ff", "#000aff"]);
    expect(colors(createHtml(["a"], Float32Array.of(8), { maxValue: 16 }))).toEqual(["#bfc1ff"]); // s = 0.25
  });

  it("escapes what HTML would take for its own, and shows white space", () => {
    expect(createHtml([`<b class="x">'&'</b>`, " a\tb\n"], [0, 0])).toBe(
      span("#ffffff", "&lt;b&nbsp;class=&quot;x&quot;&gt;&#x27;&amp;&#x27;&lt;/b&gt;") + span("#ffffff", "&nbsp;a→&emsp;b↩<br/>"),
    );
  });

  it("gives values below 0 the notebook's colour, which is none, and all of 0 white", () => {
    // s = −0.25 at hue 0: (1, 1.25, 1.25), 255 · 1.25 = 318 = 0x13e
    expect(colors(createHtml(["n"], [-1], { maxValue: 2 }))).toEqual(["#ff13e13e"]);
    expect(colors(createHtml(["z", "z"], [0, 0], { maxValue: 0 }))).toEqual(["#ffffff", "#ffffff"]);
  });

  it("wants as many values as strings, unless told otherwise", () => {
    expect(() => createHtml(["a", "b"], [1])).toThrow("Expected a value for each of 2 strings but found 1");
    expect(createHtml(["a", "b"], [1], { allowDifferentLength: true })).toBe(span("#7f84ff", "a") + span("#ffffff", "b"));
    expect(createHtml(["a"], [0, 1, 2], { allowDifferentLength: true })).toBe(span("#ffffff", "a"));
  });
});

describe("tokenVis", () => {
  it("says the range in four places and colours by the value that is set", () => {
    const body = span("#bfc1ff", "x") + span("#ffffff", "y");
    expect(tokenVis(["x", "y"], [1, 0], { maxVal: 2 })).toBe(
      `<h4>Max Range <b>1.0000</b> Min Range: <b>0.0000</b></h4><h4>Set Max Range <b>2.0000</b></h4>${body}`,
    );
    expect(tokenVis(["x"], [2.345678])).toContain("<h4>Set Max Range <b>2.3457</b></h4>");
    expect(colors(tokenVis(["x"], [2.345678]))).toEqual(["#7f84ff"]); // exactly 0.5, without create_html's 0.001
    expect(() => tokenVis([], [])).toThrow("Expected values but found none");
  });

  it("rounds halves to even, as Python does", () => {
    const most = (value: number): string => /Max Range <b>([^<]+)</.exec(tokenVis(["x"], [value]))![1]!;
    expect([0.03125, 0.09375, 0.15625, 0.5, 1.03125].map(most)).toEqual(["0.0312", "0.0938", "0.1562", "0.5000", "1.0312"]);
  });
});
