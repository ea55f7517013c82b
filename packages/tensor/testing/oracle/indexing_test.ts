import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dimension, seed, seededIndices, seededValues } from "../arbitrary.ts";
import { innerProduct } from "../directional_derivative.ts";
import { nd } from "../nd.ts";
import { embedding, gather, indexSelect, scatterAdd } from "./indexing.ts";
import { reshape } from "./shape.ts";

const x = nd([3, 2], [1, 2, 3, 4, 5, 6]);

describe("the indexing oracles", () => {
  it("give what PyTorch's documentation says", () => {
    expect(gather(x, nd([2, 2], [2, 0, 1, 1]), { axis: 0 })).toEqual(nd([2, 2], [5, 2, 3, 4]));
    expect(gather(x, nd([3, 1], [1, 0, 1]), { axis: -1 })).toEqual(nd([3, 1], [2, 3, 6]));
    expect(scatterAdd(x, nd([2, 2], [0, 2, 0, 2]), nd([2, 2], [10, 20, 30, 40]), { axis: 0 })).toEqual(nd([3, 2], [41, 2, 3, 4, 5, 66]));
    expect(indexSelect(x, nd([4], [2, 0, 0, 1]), { axis: 0 })).toEqual(nd([4, 2], [5, 6, 1, 2, 1, 2, 3, 4]));
    expect(indexSelect(x, nd([1], [1]), { axis: 1 })).toEqual(nd([3, 1], [2, 4, 6]));
    expect(embedding(nd([1, 2], [2, 2]), x)).toEqual(nd([1, 2, 2], [5, 6, 5, 6]));
  });

  it("leave x alone", () => {
    const before = nd(x.shape, x.data);
    scatterAdd(x, nd([1, 1], [0]), nd([1, 1], [1]), { axis: 0 });
    expect(x).toEqual(before);
  });

  it("make scatterAdd the adjoint of gather: <gather x, u> = <x, scatterAdd u>", () => {
    const size = dimension({ max: 17 });
    fc.assert(
      fc.property(size, size, size, seed(), fc.nat(1), (rows, columns, picked, seed, axis) => {
        const x = seededValues(seed, [rows, columns], "integers");
        const indices = seededIndices(seed, axis === 0 ? [picked, columns] : [rows, picked], axis === 0 ? rows : columns);
        const u = seededValues(seed + 1, indices.shape, "integers");
        expect(innerProduct(gather(x, indices, { axis }), u)).toBe(innerProduct(x, scatterAdd(nd(x.shape), indices, u, { axis })));
      }),
    );
  });

  it("make embedding a selection of rows", () => {
    const [weight, indices] = [seededValues(1, [7, 3]), seededIndices(2, [2, 5], 7)];
    expect(embedding(indices, weight)).toEqual(reshape(indexSelect(weight, indices, { axis: 0 }), [2, 5, 3]));
  });
});
