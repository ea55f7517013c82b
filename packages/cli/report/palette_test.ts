import { describe, expect, it } from "vitest";
import { palette, paper } from "./palette.ts";

type Rgb = readonly [number, number, number];

/** How colours look with a kind of colour blindness, in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1. */
const sight: Readonly<Record<string, readonly Rgb[]>> = {
  full: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** Linear RGB of a CSS colour. */
function linear(css: string): Rgb {
  const channel = (at: number): number => {
    const value = Number.parseInt(css.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function times(rows: readonly Rgb[], [r, g, b]: Rgb): Rgb {
  return rows.map((row) => row[0] * r + row[1] * g + row[2] * b) as unknown as Rgb;
}

/** Björn Ottosson's OKLab. */
function oklab(rgb: Rgb): Rgb {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  ).map((value) => Math.cbrt(Math.max(0, value))) as unknown as Rgb;
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

/** WCAG's contrast. */
function contrast(one: string, other: string): number {
  const luminance = (css: string): number => times([[0.2126, 0.7152, 0.0722]], linear(css))[0];
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** How far apart the two nearest of some colours look. */
function nearest(colours: readonly string[], matrix: readonly Rgb[]): number {
  const seen = colours.map((css) => oklab(times(matrix, linear(css))));
  const distances = seen.flatMap((a, i) => seen.slice(0, i).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])));
  return Math.min(...distances);
}

describe("palette", () => {
  it.each(["light", "dark"] as const)("keeps its colours apart for every kind of sight, the first four well, on %s paper", (theme) => {
    for (const [kind, matrix] of Object.entries(sight)) {
      expect(nearest(palette[theme].slice(0, 4), matrix), kind).toBeGreaterThan(0.1);
      expect(nearest(palette[theme], matrix), kind).toBeGreaterThan(0.05);
    }
  });

  it.each(["light", "dark"] as const)("stands out from %s paper", (theme) => {
    for (const colour of palette[theme]) expect(contrast(colour, paper[theme]), colour).toBeGreaterThan(3);
  });
});
