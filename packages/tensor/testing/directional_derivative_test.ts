import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dimension, seed, seededValues } from "./arbitrary.ts";
import { directionalDerivative, innerProduct } from "./directional_derivative.ts";
import { expectAdjoint, expectClose } from "./expect_close.ts";
import { map, nd, zip } from "./nd.ts";
import { abs, add, matmul, mul, pow, softmax, sum, transpose } from "./oracle/mod.ts";

describe("directionalDerivative()", () => {
  it("gives the derivatives of powers", () => {
    const x = nd([4], [-3, 0.5, 1, 2]);
    const v = nd([4], [1, 2, -1, 0.5]);
    for (const power of [1, 2, 3, 5]) {
      const exact = zip(x, v, (xi, vi) => power * xi ** (power - 1) * vi);
      expectClose(directionalDerivative((y) => pow(y, nd([], [power])), [x], [v]).data, exact, 1e-6);
    }
  });

  it("follows the product rule through several inputs", () => {
    const size = dimension({ max: 9 });
    fc.assert(
      fc.property(size, size, size, seed(), (m, k, n, seed) => {
        const [a, b, da, db] = [
          [m, k],
          [k, n],
          [m, k],
          [k, n],
        ].map((shape, i) => seededValues(seed + i, shape));
        const exact = add(matmul(da!, b!), matmul(a!, db!));
        expectClose(directionalDerivative(matmul, [a!, b!], [da!, db!]).data, exact, 1e-8);
      }),
    );
  });
});

describe("innerProduct()", () => {
  it("sums the products", () => {
    expect(innerProduct(nd([2, 2], [1, 2, 3, 4]), nd([4], [5, 6, 7, 8]))).toBe(70);
  });
});

describe("expectAdjoint()", () => {
  /** softmax's gradient, p · (u − Σ p u), or a wrong one without the sum. */
  const gradient = (x: ReturnType<typeof nd>, u: ReturnType<typeof nd>, wrong = false) => {
    const p = softmax(x);
    const mean = sum(mul(p, u), { axis: -1, keepDims: true });
    return map(
      mul(
        p,
        wrong
          ? u
          : add(
              u,
              map(mean, (m) => -m),
            ),
      ),
      Math.fround,
    );
  };

  it("accepts a right gradient rounded to f32 and refuses a wrong one", () => {
    fc.assert(
      fc.property(
        dimension({ max: 33 }).filter((n) => n > 1),
        seed(),
        (n, seed) => {
          const [x, u, v] = [0, 1, 2].map((i) => seededValues(seed + i, [3, n])) as [
            ReturnType<typeof nd>,
            ReturnType<typeof nd>,
            ReturnType<typeof nd>,
          ];
          const derivative = directionalDerivative((y) => softmax(y), [x], [v]);
          const [right, wrong] = [gradient(x, u), gradient(x, u, true)];
          // Along v the two may differ by less than is tolerated, 10⁻⁵ of all terms' size, as they do in one case of some thousands.
          const size = innerProduct(abs(derivative), abs(u)) + innerProduct(abs(v), abs(wrong));
          fc.pre(Math.abs(innerProduct(v, wrong) - innerProduct(v, right)) > 2e-5 * size);
          expectAdjoint({ derivative, cotangent: u, gradients: [right], directions: [v] });
          expect(() => expectAdjoint({ derivative, cotangent: u, gradients: [wrong], directions: [v] })).toThrow(
            /^Expected <Jv, u> = <v, Jᵀu> within .* but found .* and .*$/,
          );
        },
      ),
    );
  });

  it("compares the sum over all inputs", () => {
    const [a, b, da, db, u] = [
      [3, 4],
      [4, 2],
      [3, 4],
      [4, 2],
      [3, 2],
    ].map((shape, i) => seededValues(i, shape)) as ReturnType<typeof nd>[];
    const derivative = directionalDerivative(matmul, [a!, b!], [da!, db!]);
    const gradients = [matmul(u!, transpose(b!, 0, 1)), matmul(transpose(a!, 0, 1), u!)];
    expectAdjoint({ derivative, cotangent: u!, gradients, directions: [da!, db!] }, { tolerance: 1e-9 });
    const doubled = [gradients[0]!, map(gradients[1]!, (g) => 2 * g)];
    expect(() => expectAdjoint({ derivative, cotangent: u!, gradients: doubled, directions: [da!, db!] })).toThrow();
  });

  it("refuses a NaN", () => {
    const one = nd([1], [1]);
    expect(() => expectAdjoint({ derivative: one, cotangent: one, gradients: [nd([1], [Number.NaN])], directions: [one] })).toThrow();
  });
});
