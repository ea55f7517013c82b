import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type InkSegment, StrokeTokenizer } from "../data/tokenizer.ts";
import { arbitraryInk, inkOf } from "../testing/ink.ts";
import { pathData } from "./path.ts";
import { escaped, inkSheet, inkSvg } from "./svg.ts";

const tokenizer = new StrokeTokenizer({ decode: "centre" });
const paths = (svg: string) => [...svg.matchAll(/<path d="([^"]*)"/g)].map((match) => match[1]!);
const numbers = (text: string) => (text.match(/-?\d+(\.\d+)?/g) ?? []).map(Number);

/** The names of all elements of well-formed XML in order; throws where tags do not match or a bare markup character is left. */
function elements(xml: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  const rest = xml.replace(
    /<(\/?)([a-z]+)((?: [a-zA-Z:-]+="[^"<&]*(?:&[a-z#0-9]+;[^"<&]*)*")*)(\/?)>/g,
    (_, closing, name, _attributes, empty) => {
      if (closing) {
        if (open.pop() !== name) throw new Error(`Expected no </${name}>`);
      } else {
        names.push(name);
        if (!empty) open.push(name);
      }
      return "";
    },
  );
  if (open.length > 0 || /[<>]|&(?!(amp|lt|gt|quot|#39);)/.test(rest)) throw new Error(`Expected well-formed XML but found ${rest}`);
  return names;
}

describe("pathData", () => {
  it("draws lines, and a dot for a single position", () => {
    expect(pathData([])).toBe("");
    expect(pathData([[0.5, -0.25]])).toBe("M0.5 -0.25L0.5 -0.25");
    expect(
      pathData([
        [0, 0],
        [0.123456, -0.00001],
        [1, 1],
      ]),
    ).toBe("M0 0L0.1235 0L1 1");
  });

  it("goes straight through positions on a line when smooth, with handles a third of the way", () => {
    expect(
      pathData(
        [
          [0, 0],
          [3, 0],
          [6, 0],
          [9, 0],
        ],
        { smooth: true },
      ),
    ).toBe("M0 0C0 0 2 0 3 0C4 0 5 0 6 0C7 0 9 0 9 0");
  });

  it("leaves sharp corners alone when smooth", () => {
    expect(
      pathData(
        [
          [0, 0],
          [1, 1],
          [2, 0],
        ],
        { smooth: true },
      ),
    ).toBe("M0 0C0 0 1 1 1 1C1 1 2 0 2 0");
  });

  it("passes through every position when smooth, and stays between neighbours' sizes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), { minLength: 2, maxLength: 9 }),
        (positions) => {
          const ends = [...pathData(positions, { smooth: true }).matchAll(/[MC][^MC]*/g)].map((match) => numbers(match[0]).slice(-2));
          expect(ends).toEqual(positions.map(([x, y]) => [x, y]));
        },
      ),
    );
  });
});

describe("inkSvg", () => {
  it("draws pen-down lines in one path and leaves out pen-up movements", () => {
    const svg = inkSvg(inkOf("0,0 1,0 1,0/ 2,1 2,2 2,2/ 5,5/"));
    expect(paths(svg)).toEqual(["M0 0L1 0M2 1L2 2"]);
    expect(svg).toContain('viewBox="-0.05 -0.05 2.1 2.1"');
    expect(svg).toContain('stroke-linecap="round" stroke-linejoin="round"');
  });

  it("fits its view box around all ink with the margin, for points and for segments", () => {
    fc.assert(
      fc.property(arbitraryInk, fc.constantFrom(0, 0.1, 0.5), (ink, margin) => {
        for (const some of [ink, tokenizer.segments(tokenizer.encodeStrokes(ink))]) {
          const svg = inkSvg(some, { margin });
          const [left, top, width, height] = numbers(svg.match(/viewBox="([^"]*)"/)![1]!) as [number, number, number, number];
          const drawn = numbers(paths(svg).join(" "));
          const xs = drawn.filter((_, i) => i % 2 === 0);
          const ys = drawn.filter((_, i) => i % 2 === 1);
          expect(left).toBeCloseTo(Math.min(...xs) - margin, 3);
          expect(top).toBeCloseTo(Math.min(...ys) - margin, 3);
          expect(left + width).toBeCloseTo(Math.max(...xs) + margin, 3);
          expect(top + height).toBeCloseTo(Math.max(...ys) + margin, 3);
        }
      }),
    );
  });

  it("asks for the colour and width of each drawn segment, and of dots", () => {
    const asked: InkSegment[] = [];
    const colour = (segment: InkSegment) => {
      asked.push(segment);
      return asked.length === 2 ? "red" : undefined;
    };
    const svg = inkSvg(inkOf("0,0 1,0 1,1 1,1/ 3,3 3,3/"), { colour, width: (_, i) => i / 10, stroke: "blue" });
    expect(asked.map(({ to }) => to)).toEqual([
      [1, 0],
      [1, 1],
      [3, 3],
    ]);
    expect(paths(svg)).toEqual(["M0 0L1 0", "M1 0L1 1", "M3 3L3 3"]);
    expect([...svg.matchAll(/stroke="(\w+)" stroke-width="([\d.]+)"/g)].map((match) => [match[1], match[2]])).toEqual([
      ["blue", "0.1"],
      ["red", "0.2"],
      ["blue", "0.4"],
    ]);
  });

  it("covers the same ink segment by segment as at one stroke", () => {
    fc.assert(
      fc.property(arbitraryInk, (ink) => {
        const lines = paths(inkSvg(ink))[0]!
          .split(/(?=M)/)
          .map((line) => line.slice(1).split("L"));
        const pieces = lines.flatMap((line) =>
          line.length === 2 && line[0] === line[1] ? [line] : line.slice(1).map((to, i) => [line[i]!, to]),
        );
        expect(paths(inkSvg(ink, { colour: () => "red" })).map((path) => path.slice(1).split("L"))).toEqual(pieces);
      }),
    );
  });

  it("marks malformed pairs with a red cross", () => {
    const segments = tokenizer.segments([400, 5, 401, 402, 10, 402, 5]);
    const svg = inkSvg(segments);
    expect(svg.match(/stroke="red"/g)).toHaveLength(1);
  });

  it("shows pen-up movements dashed on request", () => {
    const svg = inkSvg(inkOf("0,0 1,0 1,0/ 2,1 2,2"), { penUp: true });
    expect(paths(svg)[0]).toContain("M1 0L2 1");
    expect(svg).toContain("stroke-dasharray");
  });

  it("draws a valid picture of no ink", () => {
    expect(elements(inkSvg([]))).toEqual(["svg", "g", "path"]);
    expect(elements(inkSheet([]))).toEqual(["svg"]);
  });
});

describe("inkSheet", () => {
  it("sets pictures on a grid of equal cells with level baselines, under their captions", () => {
    const svg = inkSheet([{ ink: inkOf("0,0 1,-1"), caption: "one" }, { ink: inkOf("2,0 2.5,1") }, { ink: inkOf("0,0 1,0") }], {
      columns: 2,
      margin: 0.1,
    });
    const shifts = [...svg.matchAll(/<g transform="translate\(([^)]*)\)"/g)].map((match) => numbers(match[1]!));
    expect(shifts.map(([, y]) => y)).toEqual([1.18, 1.18, 3.46]); // margin + caption + 1 above the baseline, then a cell of 2.28 on
    expect(shifts.map(([x]) => x)).toEqual([0.1, -0.7, 0.1]);
    expect(svg).toContain('viewBox="0 0 2.4 4.56"');
    expect(svg).toContain(">one</text>");
  });

  it("gives long captions room", () => {
    const widthOf = (caption: string) =>
      numbers(inkSheet([{ ink: inkOf("0,0 0.1,0"), caption }], { columns: 1 }).match(/viewBox="([^"]*)"/)![1]!)[2]!;
    expect(widthOf("i")).toBeCloseTo(0.2, 4);
    expect(widthOf("a caption of thirty characters")).toBeGreaterThan(0.8);
  });
});

describe("text in pictures", () => {
  it("is escaped wherever it stands, so that any text gives well-formed XML", () => {
    const unit = fc.oneof(
      fc.constantFrom("&", "<", ">", "'", '"'),
      fc.nat(0xffff).map((code) => String.fromCharCode(code)),
    );
    const text = fc.string({ unit, maxLength: 20 });
    fc.assert(
      fc.property(text, text, (one, two) => {
        const svg = inkSheet([{ ink: inkOf("0,0 1,1"), caption: `x${one}` }], {
          title: `t${one}`,
          description: `d${two}`,
          stroke: two,
          background: one,
        });
        expect(elements(svg)).toEqual(["svg", "title", "desc", "rect", "text", "g", "g", "path"]);
      }),
    );
    expect(escaped(`<a href="x">&'\u0000\uD800`)).toBe("&lt;a href=&quot;x&quot;&gt;&amp;&#39;\uFFFD\uFFFD");
  });
});
