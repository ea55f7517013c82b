import { describe, expect, it } from "vitest";
import { svgToPng } from "../ink/png.ts";
import { encodeEvent, FILE_VERSION, outlineEvent, pngSize } from "./event.ts";
import { histogramOf } from "./histogram.ts";
import { encodeRecord } from "./records.ts";
import { readEventFile } from "./testing/read_events.ts";

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3" width="40" height="30"><path d="M1 1L3 2" stroke="black"/></svg>`;

describe("encodeEvent()", () => {
  it("writes the bytes that TensorFlow's writer does", () => {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
    const scalar = encodeEvent({ wallTime: 1.5, step: 300, what: { values: [{ tag: "loss", scalar: 0.5 }] } });
    // 1.5 as field 1; 300 as field 2; field 5 of 13 bytes, within it field 1 of 11: "loss" as field 1, 0.5 as field 2.
    expect(hex(scalar)).toBe(`09${"000000000000f83f"}10ac022a0d0a0b0a046c6f737315${"0000003f"}`);
    const version = encodeEvent({ wallTime: 0, step: 0, what: { fileVersion: FILE_VERSION } });
    expect(hex(version)).toBe(`0900000000000000001a0d${Buffer.from("brain.Event:2").toString("hex")}`);
    const restart = encodeEvent({ wallTime: 0, step: 7, what: { restart: true } });
    expect(hex(restart)).toBe("09000000000000000010073a020801");
    // The record of the version as every event file begins: 24 bytes of data.
    expect(hex(encodeRecord(version)).slice(0, 24)).toBe("1800000000000000a37f4b22");
  });

  it("is read back by another reader: scalars, pictures, histograms, text", async () => {
    const png = await svgToPng(svg);
    const histogram = histogramOf(Float32Array.of(-1, 0.25, 0.5, 2));
    const values = [
      { tag: "loss/train", scalar: 2.25 },
      { tag: "samples", png },
      { tag: "parameters/weight", histogram },
      { tag: "configuration", markdown: "`a` <b> ü" },
    ];
    const [event, ...others] = readEventFile(encodeRecord(encodeEvent({ wallTime: 1e9 + 0.5, step: 110_000, what: { values } })));
    expect(others).toEqual([]);
    expect(event).toMatchObject({ wallTime: 1e9 + 0.5, step: 110_000 });
    const [scalar, image, histo, text] = event!.summary!.value;
    expect(scalar).toMatchObject({ tag: "loss/train", simpleValue: 2.25 });
    expect(image!.image).toMatchObject({ width: 40, height: 30, colorspace: 4 });
    expect(Buffer.from(image!.image!.encodedImageString).equals(png)).toBe(true);
    expect(pngSize(image!.image!.encodedImageString)).toEqual({ width: 40, height: 30 });
    expect(histo!.histo).toMatchObject({ min: -1, max: 2, num: 4, sum: 1.75, sumSquares: 5.3125 });
    expect(histo!.histo!.bucket.reduce((a, b) => a + b)).toBe(4);
    expect(histo!.histo!.bucketLimit).toHaveLength(histo!.histo!.bucket.length);
    expect(text!.metadata).toEqual({ pluginData: { pluginName: "text" } });
    expect(text!.tensor).toMatchObject({ dtype: 7, tensorShape: { dim: [{ size: 1 }] } });
    expect(Buffer.from(text!.tensor!.stringVal[0]!).toString()).toBe("`a` <b> ü");
  });

  it("refuses a picture that is no PNG", () => {
    const write = (): Uint8Array => encodeEvent({ wallTime: 0, step: 0, what: { values: [{ tag: "x", png: new Uint8Array(40) }] } });
    expect(write).toThrow("Expected a PNG but found other bytes");
  });
});

describe("outlineEvent()", () => {
  it("tells step and tags", () => {
    const values = [
      { tag: "a", scalar: 1 },
      { tag: "b/c", scalar: 2 },
    ];
    expect(outlineEvent(encodeEvent({ wallTime: 3, step: 40, what: { values } }))).toEqual({ step: 40, tags: ["a", "b/c"] });
    expect(outlineEvent(encodeEvent({ wallTime: 3, step: 41, what: { restart: true } }))).toEqual({ step: 41, tags: [] });
    expect(outlineEvent(encodeEvent({ wallTime: 3, step: 0, what: { fileVersion: FILE_VERSION } }))).toEqual({ step: 0, tags: [] });
  });
});
