import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StrokeTokenizer } from "../data/tokenizer.ts";
import { arbitraryInk, inkOf } from "../testing/ink.ts";
import { activationSvg } from "./activation_svg.ts";
import { strengthColour } from "./ramp.ts";

const tokenizer = new StrokeTokenizer({ decode: "centre", bins: "polar-220-word" });
/** Down a stroke of two segments, over through the air, down another. */
const tokens = tokenizer.encodeStrokes(inkOf("0,0 0,0.2 0.1,0.2 0.1,0.2/ 0.3,0 0.3,0.2"));
const grey = "#b0b0b0";

/** Paths and circles in order, with their attributes and the value that shows on hover. */
function shapes(svg: string): { name: string; attributes: Record<string, string>; value: number | null }[] {
  return [...svg.matchAll(/<(path|circle) ([^>]*?)(?:\/>|><title>([^<]*)<\/title><\/\1>)/g)].map(([, name, attributes, value]) => ({
    name: name!,
    attributes: Object.fromEntries([...attributes!.matchAll(/([a-z-]+)="([^"]*)"/g)].map(([, key, text]) => [key!, text!])),
    value: value === undefined ? null : Number(value),
  }));
}

const activeAt = (values: Readonly<Record<number, number>>, length = tokens.length) => Array.from({ length }, (_, i) => values[i] ?? 0);
const draw = (options: Partial<Parameters<typeof activationSvg>[1]>, of: ArrayLike<number> = tokens) =>
  activationSvg(of, { tokenizer, activations: activeAt({}, of.length), legend: false, ...options });

describe("activationSvg", () => {
  it("colours and widens each segment by its length's activation, and leaves the others grey and thin", () => {
    const drawn = shapes(draw({ activations: activeAt({ 3: 2, 4: 9, 5: 1 }), max: 2 })).filter(
      ({ attributes }) => !attributes["stroke-dasharray"],
    );
    const looks = drawn.map(({ attributes, value }) => [attributes.stroke, Number(attributes["stroke-width"]), value]);
    expect(looks).toEqual([
      [strengthColour(1), 0.02, 2],
      [strengthColour(0.5), 0.013, 1],
      [grey, 0.006, null],
    ]);
  });

  it("shows directions as dots where their segments start, and colours by the stronger of a pair where asked to", () => {
    const activations = activeAt({ 2: 2, 3: 1, 4: 1 });
    const dots = shapes(draw({ activations, show: "theta" })).filter(({ name }) => name === "circle");
    expect(dots.map(({ attributes, value }) => [Number(attributes.cx), Number(attributes.cy), value])).toEqual([
      [0, 0, 2],
      [expect.closeTo(0, 1), expect.closeTo(0.2, 1), 1],
    ]);
    const both = shapes(draw({ activations, show: "max" })).filter(({ value }) => value !== null);
    expect(both.map(({ name, value }) => [name, value])).toEqual([
      ["path", 2],
      ["path", 1],
    ]);
  });

  it("dashes the ways through the air, in the colour of what is active there", () => {
    const dashed = shapes(draw({ activations: activeAt({ 9: 1 }) })).filter(({ attributes }) => attributes["stroke-dasharray"]);
    expect(dashed.map(({ attributes, value }) => [attributes.stroke, value])).toContainEqual([strengthColour(1), 1]);
    const ink = shapes(draw({})).filter(({ attributes }) => !attributes["stroke-dasharray"]);
    for (const { attributes } of dashed) expect(Number(attributes["stroke-width"])).toBeLessThan(0.02);
    expect(ink).toHaveLength(3);
  });

  it("never draws PAD or END, and says how much is active there", () => {
    const padded = [...tokens, tokenizer.endToken, tokenizer.padToken, tokenizer.padToken];
    const activations = activeAt({ [tokens.length]: 1, [tokens.length + 1]: 5, [tokens.length + 2]: 5 }, padded.length);
    expect(shapes(draw({ activations }, padded))).toEqual(shapes(draw({})));
    const svg = draw({ activations, legend: true }, padded);
    expect(svg).toContain("not active here · 2 activations on PAD hidden · 1 activation on END");
  });

  it("marks malformed pairs with a cross and counts them", () => {
    const broken = [...tokens.slice(0, 4), tokens[4]!, ...tokens.slice(4)];
    const svg = draw({ legend: true }, broken);
    expect(shapes(svg).filter(({ attributes }) => attributes.stroke === "red")).toHaveLength(1);
    expect(svg).toContain("1 malformed pair<");
    expect(shapes(draw({ legend: true })).some(({ attributes }) => attributes.stroke === "red")).toBe(false);
  });

  it("sets a tick for WORD with the stronger activation of its pair, and a ring where asked to", () => {
    const words = tokenizer.encodeWords([inkOf("0,0 0.1,0.1"), inkOf("0,0 0.1,0.1")]);
    const at = words.indexOf(tokenizer.wordToken!);
    const ticks = (values: Record<number, number>) =>
      shapes(draw({ activations: activeAt(values, words.length) }, words)).map(({ value }) => value);
    expect(ticks({ [at]: 1, [at + 1]: 3 })).toContain(3);
    expect(shapes(draw({}, words)).length).toBe(4); // two segments, a tick, the way between the words
    expect(draw({ ring: 3 })).toContain('stroke="black"');
    expect(draw({ ring: 99 })).not.toContain('stroke="black"');
    for (let ring = 0; ring < 8; ring++) {
      const svg = draw({ ring, margin: 0.01, legend: false });
      const [left, top, width, height] = svg
        .match(/viewBox="([^"]+)"/)![1]!
        .split(" ")
        .map(Number) as [number, number, number, number];
      const circle = svg.match(/<circle cx="([-\d.]+)" cy="([-\d.]+)" r="([\d.]+)" stroke="black"/);
      if (!circle) continue; // a token without a place
      const [x, y, r] = circle.slice(1).map(Number) as [number, number, number];
      expect(x - r).toBeGreaterThanOrEqual(left);
      expect(y - r).toBeGreaterThanOrEqual(top);
      expect(x + r).toBeLessThanOrEqual(left + width);
      expect(y + r).toBeLessThanOrEqual(top + height);
    }
  });

  it("shows what is below 0 in purple, on the scale too", () => {
    const svg = draw({ activations: activeAt({ 3: -1, 5: 0.5 }), legend: true });
    const values = shapes(svg).flatMap(({ attributes, value }) => (value === null ? [] : [[attributes.stroke, value]]));
    expect(values).toEqual([
      [strengthColour(-1), -1],
      [strengthColour(0.5), 0.5],
    ]);
    expect(svg).toContain(">±1<");
  });

  it("draws each segment once whatever the tokens and activations are, all inside the picture", () => {
    const arbitraryTokens = fc.oneof(
      arbitraryInk.map((points) => Array.from(tokenizer.encodeStrokes(points))),
      fc.array(fc.integer({ min: 0, max: tokenizer.vocabSize }), { maxLength: 40 }),
    );
    fc.assert(
      fc.property(arbitraryTokens, fc.constantFrom("theta", "radius", "max"), fc.boolean(), (list, show, sparse) => {
        const activations = list.map((_, i) => (sparse && i % 3 > 0 ? (i % 2 ? Number.NaN : 0) : Math.sin(i)));
        const svg = draw({ activations, show, margin: 0.05 }, list);
        expect(svg).not.toMatch(/NaN|undefined|Infinity/);
        const segments = tokenizer.segments(list);
        const lines = shapes(svg).filter(
          ({ name, attributes }) => name === "path" && attributes.stroke !== "red" && !attributes["stroke-dasharray"],
        );
        const ticks = list.filter((token, i) => token === tokenizer.wordToken && list[i - 1] !== token).length;
        const dots = segments.filter(
          ({ pen, drawn, malformed }, i) => pen === 1 && !drawn && !malformed && segments[i + 1]?.drawn !== true,
        ).length;
        expect(lines).toHaveLength(segments.filter(({ drawn }) => drawn).length + dots + ticks);
        const [left, top, width, height] = /viewBox="([^"]*)"/.exec(svg)![1]!.split(" ").map(Number) as [number, number, number, number];
        for (const { attributes } of shapes(svg).filter(({ attributes }) => attributes.d && !attributes["stroke-dasharray"]))
          for (const [, x, y] of attributes.d!.matchAll(/[ML](\S+) ([^ML]+)/g)) {
            expect(Number(x)).toBeGreaterThanOrEqual(left - 1e-3);
            expect(Number(x)).toBeLessThanOrEqual(left + width + 1e-3);
            expect(Number(y)).toBeGreaterThanOrEqual(top - 1e-3);
            expect(Number(y)).toBeLessThanOrEqual(top + height + 1e-3);
          }
      }),
    );
  });

  it("asks for one activation a token", () => {
    expect(() => draw({ activations: [1] })).toThrow(`Expected an activation for each of ${tokens.length} tokens but found 1`);
  });
});

describe("strengthColour", () => {
  it("gets darker with the strength, lighter on dark ground, on both sides of 0, and ends at ±1", () => {
    const lightness = (colour: string) => {
      const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)) as [number, number, number];
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const light = (strength: number) => lightness(strengthColour(strength));
    for (const sign of [1, -1]) for (let s = 0.1; s <= 1; s += 0.05) expect(light(sign * s)).toBeLessThan(light(sign * (s - 0.04)));
    for (const sign of [1, -1]) {
      const dark = [0.25, 0.5, 0.75, 1].map((s) => lightness(strengthColour(sign * s, { ground: "dark" })));
      expect(dark).toEqual(dark.toSorted((a, b) => a - b));
    }
    expect(strengthColour(7)).toBe(strengthColour(1));
    expect(strengthColour(-7)).toBe("#2d004b");
  });
});
