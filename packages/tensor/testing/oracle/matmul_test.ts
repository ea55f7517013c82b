import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dimension, seed, seededValues } from "../arbitrary.ts";
import { expectClose } from "../expect_close.ts";
import { build, type Nd, nd } from "../nd.ts";
import { add } from "./elementwise.ts";
import { linear, matmul } from "./matmul.ts";
import { slice, transpose } from "./shape.ts";

const size = dimension({ max: 17 });
const integers = (seed: number, shape: number[]) => seededValues(seed, shape, "integers"); // products of these are exact
const eye = (n: number): Nd => build([n, n], ([i, j]) => Number(i === j));

describe("matmul()", () => {
  it("multiplies rows by columns", () => {
    expect(matmul(nd([2, 3], [1, 2, 3, 4, 5, 6]), nd([3, 2], [7, 8, 9, 10, 11, 12]))).toEqual(nd([2, 2], [58, 64, 139, 154]));
  });

  it("leaves a matrix as it is when multiplied by the identity", () => {
    fc.assert(
      fc.property(size, size, seed(), (m, n, seed) => {
        const a = integers(seed, [m, n]);
        expectClose(matmul(a, eye(n)).data, a, 0);
        expectClose(matmul(eye(m), a).data, a, 0);
      }),
    );
  });

  it("is linear, and transposes into the product of transposes in reverse", () => {
    fc.assert(
      fc.property(size, size, size, seed(), (m, k, n, seed) => {
        const [a, b, c] = [integers(seed, [m, k]), integers(seed + 1, [k, n]), integers(seed + 2, [k, n])];
        expectClose(matmul(a, add(b, c)).data, add(matmul(a, b), matmul(a, c)), 0);
        expectClose(transpose(matmul(a, b), 0, 1).data, matmul(transpose(b, 0, 1), transpose(a, 0, 1)), 0);
      }),
    );
  });

  it("multiplies each pair of a broadcast batch", () => {
    const [a, b] = [integers(1, [2, 1, 3, 4]), integers(2, [5, 4, 2])];
    const product = matmul(a, b);
    expect(product.shape).toEqual([2, 5, 3, 2]);
    for (let i = 0; i < 2; i++) {
      for (let j = 0; j < 5; j++) {
        const one = matmul(nd([3, 4], slice(a, [[i, i + 1]]).data), nd([4, 2], slice(b, [[j, j + 1]]).data));
        expect(
          slice(product, [
            [i, i + 1],
            [j, j + 1],
          ]).data,
        ).toEqual(one.data);
      }
    }
  });

  it("gives zeros for an empty sum and refuses shapes that do not fit", () => {
    expect(matmul(nd([2, 0]), nd([0, 3]))).toEqual(nd([2, 3]));
    expect(() => matmul(nd([2, 3]), nd([2, 3]))).toThrow("Expected [..., M, K] and [..., K, N] but found [2,3] and [2,3]");
  });
});

describe("linear()", () => {
  it("multiplies by the transposed weight and adds the bias to each row", () => {
    fc.assert(
      fc.property(size, size, size, seed(), (n, inputs, outputs, seed) => {
        const [x, weight, bias] = [integers(seed, [2, n, inputs]), integers(seed + 1, [outputs, inputs]), integers(seed + 2, [outputs])];
        const product = matmul(x, transpose(weight, 0, 1));
        expect(linear(x, weight)).toEqual(product);
        expect(linear(x, weight, bias)).toEqual(add(product, bias));
      }),
    );
  });
});
