import { defaultAlphabet, inkSheet, inkSvg, type Point } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { readPng } from "../testing/read_png.ts";
import { svgToPng } from "./png.ts";

const line: Point[] = [[0, 0, 1], [1, 0, 1]]; // biome-ignore format: a line

/** The shades of a picture's pixels, from 0 (black) to 255. */
async function shades(svg: string): Promise<number[]> {
  const { data } = readPng(await svgToPng(svg, { background: "white" }));
  return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]!);
}

const captionOnly = (caption: string): Promise<number[]> => shades(inkSheet([{ ink: [], caption }], { scale: 400 }));

describe("svgToPng", () => {
  it("draws at the size that the SVG has, or at the width asked for", async () => {
    const svg = inkSvg(line, { scale: 100, margin: 0.5 });
    expect(readPng(await svgToPng(svg))).toMatchObject({ width: 200, height: 100 });
    expect(readPng(await svgToPng(svg, { width: 50 }))).toMatchObject({ width: 50, height: 25 });
  });

  it("draws what would be enormous smaller, in the same proportions", async () => {
    const png = Buffer.from(await svgToPng(inkSvg(line, { scale: 20_000, margin: 0.5 }))); // 40,000 by 20,000
    const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
    expect(width / height).toBeCloseTo(2, 2);
    expect(width * height).toBeLessThanOrEqual(2e7);
    expect(width * height).toBeGreaterThan(1.9e7);
  });

  it("puts ink where the SVG has it, on the background asked for", async () => {
    const svg = inkSvg(line, { scale: 100, margin: 0.5, strokeWidth: 0.1, stroke: "rgb(200, 0, 0)" });
    const pixel = async (x: number, y: number, background?: string): Promise<number[]> => {
      const { data, width } = readPng(await svgToPng(svg, { background }));
      return [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)];
    };
    expect(await pixel(100, 50)).toEqual([200, 0, 0, 255]);
    expect(await pixel(100, 20)).toEqual([0, 0, 0, 0]);
    expect(await pixel(100, 20, "white")).toEqual([255, 255, 255, 255]);
  });

  it("sets captions in letters of its own, each character of the alphabet in another one", async () => {
    const blank = await captionOnly(" ");
    const seen = new Map<string, string>();
    for (const character of defaultAlphabet.trim()) {
      const picture = await captionOnly(character);
      expect(picture.filter((shade, i) => shade < blank[i]! - 50).length, character).toBeGreaterThan(3);
      const key = picture.join();
      expect(seen.get(key), character).toBeUndefined(); // a missing letter is a box, and all boxes are alike
      seen.set(key, character);
    }
    expect(await captionOnly("你")).toEqual(await captionOnly("好"));
  });

  it("gives the same bytes each time", async () => {
    const svg = inkSheet([{ ink: line, caption: "żółw" }], { scale: 300 });
    expect(await svgToPng(svg)).toEqual(await svgToPng(svg));
  });

  it("refuses what is no SVG", async () => {
    await expect(svgToPng("not a picture")).rejects.toThrow();
    await expect(svgToPng("<svg")).rejects.toThrow();
  });
});
