import { describe, expect, it } from "vitest";
import { attentionScores, pathMass } from "../attention_maps/attention_scores.ts";
import type { HeadAttention, TextAttention } from "../attention_maps/measure_attention.ts";
import { StrokeTokenizer } from "../data/tokenizer.ts";
import { inkOf } from "../testing/ink.ts";
import { attentionSvg } from "./attention_svg.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const tokens = tokenizer.encodeStrokes(inkOf("0,0 0.1,-0.1 0.2,0 0.3,-0.1 0.4,0 0.5,-0.1 0.5,-0.1/ 0.6,0"));
const rows = tokens.length;
const path = Int32Array.from({ length: rows }, (_, row) => (row < rows / 2 ? 0 : 1));

/** Cross-attention of one head over three places, of which two are letters. */
function headOf(head: number, of: (row: number, key: number) => number): HeadAttention {
  const map = { weights: Float64Array.from({ length: 3 * rows }, (_, i) => of(Math.floor(i / 3), i % 3)), rows, keys: 3, real: 2 };
  return { attention: "cross_attn", layer: 0, head, ...attentionScores(map), letterMass: pathMass(map, path), map };
}
const heads = [headOf(0, (row, key) => (key === path[row] ? 1 : 0)), headOf(1, (_, key) => (key === 2 ? 1 : 0))];
const attention: TextAttention = { text: "<a", characters: ["<", "a"], tokens, path, heads };

/** The areas of each shade, from light to dark, in one head's map. */
function areas(svg: string, head: number): string[][] {
  const maps = [...svg.matchAll(/<g shape-rendering="crispEdges">(.*?)<\/g>/g)][head]![1]!;
  return [...maps.matchAll(/d="([^"]*)"/g)].map(([, d]) => d!.split("z").filter((part) => part !== ""));
}

describe("attentionSvg", () => {
  const svg = attentionSvg(attention, { tokenizer, note: "a & b" });

  it("names heads and letters, escapes what it is given, and says its figures to those who cannot see", () => {
    for (const part of ["L0H0", "L0H1", "&lt;", "a &amp; b", ">pad<", "diagonal 1.00 · pad 0%", "diagonal – · pad 100%"])
      expect(svg).toContain(part);
    expect(svg).toContain("<desc>L0H0: diagonal 1.00 · pad 0%; L0H1: diagonal – · pad 100%</desc>");
    expect(svg).not.toContain("NaN");
  });

  it("shades where a head looks, runs of one shade in one piece", () => {
    // The first head: each letter's row is half dark, half light, and padding light. The other: letters light, padding dark.
    expect(areas(svg, 0).map((shade) => shade.length)).toEqual([2, 3]);
    expect(areas(svg, 1).map((shade) => shade.length)).toEqual([2, 1]);
  });

  it("draws the ink in turns of two colours, a letter each", () => {
    const strip = [...svg.matchAll(/<path d="(M[^"]*)" stroke="(#[0-9a-f]+)"\/>/g)];
    expect(strip.map(([, , colour]) => colour)).toEqual(["#0751b5", "#e15e00"]);
  });

  it("keeps long names inside the picture, a line each", () => {
    const long = attentionSvg({ ...attention, text: "a".repeat(60) }, { tokenizer, note: "b".repeat(70) });
    expect(long).toContain(`>“${"a".repeat(49)}…”<`);
    expect(long).toContain(`>${"b".repeat(57)}…<`);
  });

  it("leaves self-attention out", () => {
    const self: HeadAttention = { ...heads[0]!, attention: "attn", letterMass: null };
    expect(attentionSvg({ ...attention, heads: [self, ...heads] }, { tokenizer, note: "a & b" })).toBe(svg);
  });
});
