import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  featureCallback,
  featureFileSource,
  featureFiles,
  formatFeatureFile,
  parseFeatureFile,
  sequencesPerFile,
} from "./feature_files.ts";

/** Any JSON, with odd texts and numbers in it. */
const anyJson = fc.jsonValue({ depthSize: "small", stringUnit: fc.constantFrom("a", '"', "\\", "\n", "\u2028", "</script>", ");", "ö") });

describe("formatFeatureFile", () => {
  it("makes a script that calls once with its name and value, and a second line of JSON that says the same", () => {
    fc.assert(
      fc.property(anyJson, fc.nat({ max: 99_999 }), (value, index) => {
        const file = featureFiles.page(index);
        const text = formatFeatureFile(file, value);
        const calls: unknown[][] = [];
        new Function(featureCallback, text)((...args: unknown[]) => calls.push(args));
        const parsed = parseFeatureFile(text);
        expect(calls).toEqual([[parsed.name, parsed.value]]);
        expect(`${parsed.name}.js`).toBe(file);
        expect(JSON.parse(text.split("\n")[1]!)).toEqual(parsed.value);
        expect(formatFeatureFile(file, parsed.value)).toBe(text);
      }),
    );
  });

  it("keeps five digits of numbers that are not whole, and all of those that are", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const { value: found } = parseFeatureFile(formatFeatureFile("x.js", { value })) as { value: { value: number } };
        if (Number.isInteger(value))
          expect(found.value === value).toBe(true); // −0 comes back as 0
        else expect(Math.abs(found.value - value)).toBeLessThanOrEqual(5e-5 * Math.abs(value));
      }),
    );
  });

  it("refuses numbers that JSON has not, with where they are", () => {
    expect(() => formatFeatureFile("feature-00018.js", { max: Number.NaN })).toThrow(
      "Expected finite numbers but found NaN at 'max' of feature-00018.js",
    );
    expect(() => formatFeatureFile("x.js", [Number.POSITIVE_INFINITY])).toThrow("found Infinity");
  });
});

describe("parseFeatureFile", () => {
  it("refuses other texts", () => {
    for (const text of ["", "{}", "alert(1,\n{}\n);\n", 'cursiveFeatures("x",\n{}\n', 'cursiveFeatures("../x",\n{}\n);\n'])
      expect(() => parseFeatureFile(text)).toThrow(SyntaxError);
  });
});

describe("featureFileSource", () => {
  const sequence = (text: string) => ({ text, tokens: [], letters: [] });
  const overview = { format: "cursive-feature-pages", version: 1 };

  it("loads files of sequences once, and again only after a failure", async () => {
    const loads: string[] = [];
    const source = featureFileSource(async (file) => {
      loads.push(file);
      if (loads.length === 1) throw new Error("offline");
      return file === featureFiles.sequences(0) ? [sequence("a"), sequence("b")] : [sequence("c")];
    });
    await expect(source.sequence(1)).rejects.toThrow("offline");
    expect((await source.sequence(1)).text).toBe("b");
    expect((await source.sequence(0)).text).toBe("a");
    expect((await source.sequence(sequencesPerFile)).text).toBe("c");
    expect(loads).toEqual(["sequences-000.js", "sequences-000.js", "sequences-001.js"]);
    await expect(source.sequence(sequencesPerFile + 1)).rejects.toThrow("Expected a sequence of the corpus but found 65");
  });

  it("takes overviews of its version only", async () => {
    const sourceOf = (value: unknown) => featureFileSource(async () => value);
    await expect(sourceOf(overview).overview()).resolves.toBe(overview);
    await expect(sourceOf({ ...overview, version: 2 }).overview()).rejects.toThrow(
      "Expected cursive-feature-pages, version 1, but found cursive-feature-pages, 2",
    );
    await expect(sourceOf(null).overview()).rejects.toThrow("found none, none");
  });
});
