import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { permutation, seed, seededValues, shape } from "../arbitrary.ts";
import { nd } from "../nd.ts";
import { add } from "./elementwise.ts";
import { cat, expand, flip, pad, permute, reshape, slice, stack, transpose, tril, triu } from "./shape.ts";

const x = nd([2, 3], [1, 2, 3, 4, 5, 6]);
const cases = fc.record({ shape: shape({ minRank: 1, maxRank: 4, maxCount: 300 }), seed: seed() });

describe("permute(), transpose() and flip()", () => {
  it("move elements as drawn by hand", () => {
    expect(transpose(x, 0, -1)).toEqual(nd([3, 2], [1, 4, 2, 5, 3, 6]));
    expect(permute(nd([1, 2, 3], x.data), [2, 0, 1])).toEqual(nd([3, 1, 2], [1, 4, 2, 5, 3, 6]));
    expect(flip(x, 1)).toEqual(nd([2, 3], [3, 2, 1, 6, 5, 4]));
    expect(flip(x, [0, -1])).toEqual(nd([2, 3], [6, 5, 4, 3, 2, 1]));
  });

  it("are undone by the inverse", () => {
    fc.assert(
      fc.property(
        cases.chain(({ shape, seed }) => fc.record({ x: fc.constant(seededValues(seed, shape)), axes: permutation(shape.length) })),
        ({ x, axes }) => {
          const inverse = axes.map((_, i) => axes.indexOf(i));
          expect(permute(permute(x, axes), inverse)).toEqual(x);
          expect(flip(flip(x, axes[0]!), axes[0]!)).toEqual(x);
        },
      ),
    );
  });
});

describe("reshape() and expand()", () => {
  it("keep the order and fill in the size left open", () => {
    expect(reshape(x, [3, -1])).toEqual(nd([3, 2], x.data));
    expect(() => reshape(x, [4, 2])).toThrow("Expected 8 elements for [4,2] but found 6");
    expect(expand(nd([2, 1], [1, 2]), [3, -1, 2])).toEqual(nd([3, 2, 2], [1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2]));
  });
});

describe("slice()", () => {
  it("reads bounds as Python does", () => {
    const row = nd([6], [0, 1, 2, 3, 4, 5]);
    const cases: [Parameters<typeof slice>[1][number], number[]][] = [
      [[], [0, 1, 2, 3, 4, 5]],
      [[2], [2, 3, 4, 5]],
      [
        [null, -2],
        [0, 1, 2, 3],
      ],
      [
        [-3, null, 2],
        [3, 5],
      ],
      [
        [1, 6, 2],
        [1, 3, 5],
      ],
      [[4, 2], []],
      [
        [-99, 99],
        [0, 1, 2, 3, 4, 5],
      ],
    ];
    for (const [range, want] of cases) expect(slice(row, [range])).toEqual(nd([want.length], want));
    expect(slice(x, [[], [1, 2]])).toEqual(nd([2, 1], [2, 5]));
    expect(slice(x, [[1]])).toEqual(nd([1, 3], [4, 5, 6]));
  });
});

describe("cat(), stack() and pad()", () => {
  it("put elements where drawn by hand", () => {
    expect(cat([x, nd([2, 1], [7, 8])], { axis: 1 })).toEqual(nd([2, 4], [1, 2, 3, 7, 4, 5, 6, 8]));
    expect(stack([nd([2], [1, 2]), nd([2], [3, 4])])).toEqual(nd([2, 2], [1, 2, 3, 4]));
    expect(stack([nd([2], [1, 2]), nd([2], [3, 4])], { axis: -1 })).toEqual(nd([2, 2], [1, 3, 2, 4]));
    expect(
      pad(
        nd([1, 2], [1, 2]),
        [
          [1, 0],
          [0, 2],
        ],
        { value: 9 },
      ),
    ).toEqual(nd([2, 4], [9, 9, 9, 9, 1, 2, 9, 9]));
  });

  it("are undone by slices", () => {
    fc.assert(
      fc.property(cases, fc.nat(3), fc.nat(3), ({ shape, seed }, before, after) => {
        const x = seededValues(seed, shape);
        const axis = seed % shape.length;
        const [left, right] = [
          slice(
            x,
            shape.map((_, i) => (i === axis ? [0, 1] : [])),
          ),
          slice(
            x,
            shape.map((_, i) => (i === axis ? [1] : [])),
          ),
        ];
        expect(cat([left, right], { axis })).toEqual(x);
        const padded = pad(
          x,
          shape.map(() => [before, after]),
        );
        expect(
          slice(
            padded,
            shape.map((size) => [before, before + size]),
          ),
        ).toEqual(x);
      }),
    );
  });
});

describe("tril() and triu()", () => {
  it("keep the triangle and the diagonals asked for", () => {
    const square = nd([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(tril(square)).toEqual(nd([3, 3], [1, 0, 0, 4, 5, 0, 7, 8, 9]));
    expect(tril(square, { diagonal: -1 })).toEqual(nd([3, 3], [0, 0, 0, 4, 0, 0, 7, 8, 0]));
    expect(triu(square, { diagonal: 1 })).toEqual(nd([3, 3], [0, 2, 3, 0, 0, 6, 0, 0, 0]));
  });

  it("add up to the matrix", () => {
    const batch = seededValues(1, [2, 5, 7]);
    for (const diagonal of [-3, 0, 2]) expect(add(tril(batch, { diagonal }), triu(batch, { diagonal: diagonal + 1 }))).toEqual(batch);
  });
});
