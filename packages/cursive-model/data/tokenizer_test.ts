import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryInk, inkOf } from "../testing/ink.ts";
import { linspace } from "./numpy.ts";
import type { StrokeBinsName } from "./stroke_bins.ts";
import { defaultAlphabet, StrokeTokenizer } from "./tokenizer.ts";
import type { Point } from "./word.ts";

const tokenizer = new StrokeTokenizer();
const centred = new StrokeTokenizer({ decode: "centre" });
const binNames: StrokeBinsName[] = ["polar-151", "polar-220-word", "polar-73"];

describe("vocabulary", () => {
  it("has lengths pen down, lengths pen up, directions, then PAD, END and WORD", () => {
    expect([tokenizer.firstThetaToken, tokenizer.padToken, tokenizer.endToken, tokenizer.wordToken]).toEqual([302, 453, 454, null]);
    expect([tokenizer.vocabSize, tokenizer.contextVocabSize]).toEqual([455, 72]);
    const later = new StrokeTokenizer({ bins: "polar-220-word" });
    expect([later.firstThetaToken, later.padToken, later.endToken, later.wordToken, later.vocabSize]).toEqual([302, 522, 523, 524, 525]);
  });

  it("has the reference's edges", () => {
    const { theta, radius } = tokenizer.bins;
    expect([theta.length, theta[0], theta[150]]).toEqual([151, -Math.PI, Math.PI]);
    expect([radius.length, radius[0], radius[1], radius[50], radius[51]]).toEqual([151, 0, 0.0001, 0.05, 0.051]);
    expect(radius[150]).toBeCloseTo(0.051 * (2.25 / 0.051) ** 0.99, 12);
  });

  it.each(binNames)("names every id of %s, with bins that meet and hold their value", (bins) => {
    for (const decode of ["edge", "centre"] as const) {
      const some = new StrokeTokenizer({ bins, decode });
      const meanings = Array.from({ length: some.vocabSize }, (_, id) => some.meaning(id));
      expect(meanings.some(({ kind }) => kind === "unknown")).toBe(false);
      for (const [id, meaning] of meanings.entries()) {
        if (!("low" in meaning)) continue;
        expect(meaning.low <= meaning.value && meaning.value <= meaning.high).toBe(true);
        const next = meanings[id + 1]!;
        if ("low" in next && next.kind === meaning.kind && next.low > meaning.low) expect(next.low).toBe(meaning.high);
      }
      expect([some.meaning(-1), some.meaning(some.vocabSize), some.meaning(0.5 + some.vocabSize)].map(({ kind }) => kind)).toEqual(
        Array(3).fill("unknown"),
      );
    }
  });
});

describe("encodeStrokes", () => {
  it("writes direction then length and pen, computed by hand", () => {
    // 0.01 lies in bin 1 + floor((0.01 - 0.0001) / 0.00101837) = 10; a quarter turn in bin 75 + floor(37.5) = 112
    const ink = inkOf("3,1 3.01,1 3.01,1.01 3.01,1.01/");
    expect([...tokenizer.encodeStrokes(ink)]).toEqual([377, 0, 377, 10, 302 + 112, 10, 377, 151]);
  });

  it("puts π in the last direction bin, -π in the first, and what is too long in the last length bin", () => {
    expect([...tokenizer.encodeStrokes(inkOf("0,0 -9,0/"))].slice(2)).toEqual([452, 301]);
    expect([...tokenizer.encodeStrokes(inkOf("0,0 -9,-0/"))].slice(2)).toEqual([302, 301]);
  });

  it("gives no tokens for no ink and refuses what is not finite", () => {
    expect(tokenizer.encodeStrokes([])).toHaveLength(0);
    expect(() => tokenizer.encodeStrokes(inkOf("0,0 NaN,0"))).toThrow("Expected finite coordinates but found a movement by NaN, 0");
  });

  it("gives two tokens a point, of the right classes, wherever the ink lies", () => {
    fc.assert(
      fc.property(arbitraryInk, fc.constantFrom(...binNames), (ink, bins) => {
        const some = new StrokeTokenizer({ bins });
        const tokens = some.encodeStrokes(ink);
        expect(tokens).toHaveLength(2 * ink.length);
        for (const [i, [, , pen]] of ink.entries()) {
          expect(some.meaning(tokens[2 * i]!).kind).toBe("theta");
          expect(some.meaning(tokens[2 * i + 1]!)).toMatchObject({ kind: "radius", pen });
        }
        // Shifts by powers of two of coordinates of few bits are exact.
        const dyadic = ink.map(([x, y, pen]): Point => [Math.round(x * 64) / 64 + 0, Math.round(y * 64) / 64 + 0, pen]);
        expect(some.encodeStrokes(dyadic.map(([x, y, pen]) => [x + 8, y - 4, pen]))).toEqual(some.encodeStrokes(dyadic));
      }),
    );
  });

  it("gives longer movements no smaller length tokens, and later directions no smaller direction tokens", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: 30_000 }), fc.constantFrom(...binNames), (a, b, bins) => {
        const some = new StrokeTokenizer({ bins });
        const [short, long] = [Math.min(a, b) / 1e4, Math.max(a, b) / 1e4];
        const length = (x: number) => some.encodeStrokes(inkOf(`0,0 ${x},0`))[3]!;
        expect(length(short)).toBeLessThanOrEqual(length(long));
        const direction = (turn: number) => some.encodeStrokes(inkOf(`0,0 ${-Math.cos(turn)},${-Math.sin(turn)}`))[2]!;
        expect(direction(short * 2 + 1e-6)).toBeLessThanOrEqual(direction(long * 2 + 1e-6));
      }),
    );
  });
});

describe("decodeStrokes", () => {
  it("takes lower edges by default and middles on request", () => {
    const tokens = [377, 0, 302 + 112, 10];
    const [, [x, y]] = tokenizer.decodeStrokes(tokens) as [Point, Point];
    expect(Math.hypot(x, y)).toBeCloseTo(0.0001 + (9 * 0.0499) / 49, 14);
    expect(Math.atan2(y, x)).toBeCloseTo((112 * 2 * Math.PI) / 150 - Math.PI, 12);
    const [, [cx, cy]] = centred.decodeStrokes(tokens) as [Point, Point];
    expect(Math.hypot(cx, cy)).toBeCloseTo(0.0001 + (9.5 * 0.0499) / 49, 14);
    expect(Math.atan2(cy, cx)).toBeCloseTo((112.5 * 2 * Math.PI) / 150 - Math.PI, 12);
  });

  it("keeps a movement of length 0 where it is, in either way", () => {
    for (const some of [tokenizer, centred]) expect(some.decodeStrokes([400, 0, 320, 151])).toEqual(inkOf("0,0 0,0/"));
  });

  it.each(binNames)("gives back what encoding made, for every bin of %s, with middles", (bins) => {
    const some = new StrokeTokenizer({ bins, decode: "centre" });
    const count = some.bins.radius.length;
    const theta = fc.integer({ min: 0, max: some.bins.theta.length - 2 }).map((i) => some.firstThetaToken + i);
    const radius = fc.tuple(fc.integer({ min: 1, max: count - 2 }), fc.boolean()).map(([i, up]) => i + (up ? count : 0));
    fc.assert(
      fc.property(fc.array(fc.tuple(theta, radius), { maxLength: 40 }), (pairs) => {
        const start = [some.encodeStrokes([[0, 0, 1]])[0]!, 0];
        const tokens = [...start, ...pairs.flat()];
        expect([...some.encodeStrokes(some.decodeStrokes(tokens))]).toEqual(tokens);
      }),
    );
  });

  it("errs by at most half a bin a movement with middles, a bin with edges", () => {
    fc.assert(
      fc.property(arbitraryInk, (ink) => {
        for (const [some, bins] of [
          [tokenizer, 1],
          [centred, 0.5],
        ] as const) {
          for (const { from, to, radiusIndex } of some.segments(some.encodeStrokes(ink))) {
            const i = (radiusIndex! - 1) / 2;
            const [want, last] = [ink[i]!, ink[Math.max(0, i - 1)]!];
            const [dx, dy] = [want[0] - last[0], want[1] - last[1]];
            const length = Math.hypot(dx, dy);
            if (length > 2.16) continue; // past the last edge there is no bound
            // Lengths up to 0.05 have bins 0.00102 wide, longer ones 3.9 % of themselves; directions are 2.4° apart.
            const radial = bins * Math.max(0.00102, 0.039 * length);
            const tangential = length * bins * ((2 * Math.PI) / 150);
            expect(Math.hypot(to[0] - from[0] - dx, to[1] - from[1] - dy)).toBeLessThanOrEqual(radial + tangential + 1e-12);
          }
        }
      }),
    );
  });
});

describe("segments", () => {
  it("draws from pen down to pen down, and knows its tokens", () => {
    const ink = inkOf("0,0 0.1,0 0.1,0/ 0.3,0 0.4,0");
    const segments = tokenizer.segments(tokenizer.encodeStrokes(ink));
    expect(segments.map(({ drawn }) => drawn)).toEqual([false, true, false, false, true]);
    expect(segments.map(({ thetaIndex, radiusIndex }) => [thetaIndex, radiusIndex])).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
    ]);
    expect(segments.map(({ pen }) => pen)).toEqual([1, 1, 0, 1, 1]);
  });

  it("reports half pairs and unknown tokens, and goes on after them", () => {
    const found = tokenizer.segments([5, 400, 401, 10, 9999, 402, 453, 403, 11, 404]);
    expect(found.map(({ malformed, thetaIndex, radiusIndex }) => [malformed, thetaIndex, radiusIndex])).toEqual([
      [true, null, 0], // a length without a direction
      [true, 1, null], // a direction, and then another
      [false, 2, 3],
      [true, null, 4], // no token at all
      [true, 5, null], // a direction that PAD cuts off
      [false, 7, 8],
    ]); // the direction at 9 still waits for its length
  });

  it("never throws, keeps the pen where it is between segments, and places every token once", () => {
    const anything = fc.oneof(fc.integer({ min: -3, max: 460 }), fc.integer({ min: 300, max: 460 }), fc.constantFrom(0.5, Number.NaN, 1e9));
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 60 }), fc.constantFrom(tokenizer, centred), (tokens, some) => {
        const segments = some.segments(tokens);
        let at = [0, 0];
        const placed: number[] = [];
        for (const { from, to, thetaIndex, radiusIndex, malformed, drawn } of segments) {
          expect(from).toEqual(at);
          at = to;
          placed.push(...[thetaIndex, radiusIndex].filter((index) => index !== null));
          if (malformed) expect([to, drawn]).toEqual([from, false]);
        }
        const special = [some.padToken, some.endToken];
        const places = tokens.flatMap((token, i) => (special.includes(token) ? [] : [i]));
        const waits = tokens.length > 0 && some.meaning(tokens.at(-1)!).kind === "theta";
        expect(placed).toEqual(waits ? places.slice(0, -1) : places);
        expect(some.decodeStrokes(tokens)).toEqual(segments.filter((s) => !s.malformed).map((s) => [...s.to, s.pen]));
      }),
    );
  });

  it("reads all pairs around a stray token as it would without", () => {
    fc.assert(
      fc.property(arbitraryInk, fc.nat(), fc.constantFrom(453, 454, 5, 160, 310), (ink, where, stray) => {
        const tokens = [...tokenizer.encodeStrokes(ink)];
        const at = 2 * (where % (ink.length + 1));
        expect(tokenizer.decodeStrokes(tokens.toSpliced(at, 0, stray))).toEqual(tokenizer.decodeStrokes(tokens));
      }),
    );
  });
});

describe("encodeWords", () => {
  const later = new StrokeTokenizer({ bins: "polar-220-word" });

  it("separates words by a WORD pair and starts the next from the last one's right edge", () => {
    const one = inkOf("0,0 0.5,0 0.4,0.1/");
    const two = inkOf("0,-0.1 -0.2,0/");
    const tokens = [...later.encodeWords([one, two])];
    expect(tokens.slice(6, 8)).toEqual([524, 524]);
    // 0.1 left to the right edge and 0.2 from the left edge to the start; up by 0.2
    const across = [...later.encodeStrokes(inkOf("0,0/ 0.3,-0.2"))].slice(2);
    expect(tokens).toEqual([...later.encodeStrokes(one), 524, 524, ...across, ...later.encodeStrokes(two).slice(2)]);
  });

  it("starts a new stroke after WORD when decoding", () => {
    const { drawn } = later.segments([411, 5, 524, 524, 411, 5]).at(-1)!;
    expect(drawn).toBe(false);
  });

  it("refuses bins without WORD", () => {
    expect(() => tokenizer.encodeWords([])).toThrow("Expected bins with a WORD token but found bins without one");
  });
});

describe("text", () => {
  it("numbers the alphabet from 1 and pads with 0", () => {
    expect([...tokenizer.encodeText(" an", { length: 5 })]).toEqual([1, 4, 3, 0, 0]);
    expect([...tokenizer.encodeText("éa😀e")]).toEqual([0, 4, 0, 2]);
    expect(tokenizer.unknownCharacters("café ☕☕")).toEqual(["é", "☕"]);
  });

  it("gives back every text of the alphabet that fits, and its beginning otherwise", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...defaultAlphabet), maxLength: 60 }), fc.nat(60), (text, length) => {
        expect(tokenizer.decodeText(tokenizer.encodeText(text))).toBe(text);
        expect(tokenizer.decodeText(tokenizer.encodeText(text, { length }))).toBe(text.slice(0, length));
        expect(tokenizer.encodeText(text, { length })).toHaveLength(length);
      }),
    );
  });

  it("stops decoding at the first 0", () => {
    expect(tokenizer.decodeText([4, 0, 4])).toBe("a");
  });
});

describe("configuration", () => {
  it("makes an equal tokenizer again from JSON, with named and with own bins", () => {
    const own = { theta: linspace(-Math.PI, Math.PI, 9), radius: [0, 0.1, 0.5], wordToken: true };
    for (const bins of [...binNames, own]) {
      const first = new StrokeTokenizer({ alphabet: "ab", bins, decode: "centre" });
      const second = new StrokeTokenizer(JSON.parse(JSON.stringify(first)));
      expect(second.toJSON()).toEqual(first.toJSON());
      expect(second.bins).toEqual(first.bins);
      expect([second.vocabSize, second.alphabet, second.decode]).toEqual([first.vocabSize, "ab", "centre"]);
    }
  });

  it("refuses what cannot be", () => {
    expect(() => new StrokeTokenizer({ alphabet: "aba" })).toThrow('Expected different characters but found "aba"');
    expect(() => new StrokeTokenizer({ bins: "polar-7" as StrokeBinsName })).toThrow(
      "Expected one of polar-151, polar-220-word, polar-73 but found polar-7",
    );
    expect(() => new StrokeTokenizer({ bins: { theta: [0, 1], radius: [0, 1] } })).toThrow("Expected direction bins that increase from -π");
    expect(() => new StrokeTokenizer({ bins: { theta: [-Math.PI, 1], radius: [0, 0] } })).toThrow(
      "Expected length bins that increase from 0",
    );
    expect(() => new StrokeTokenizer({ decode: "middle" as "centre" })).toThrow("Expected decode to be edge or centre but found middle");
  });
});
