import { describe, expect, it } from "vitest";
import { seededIndices, seededValues } from "../arbitrary.ts";
import { expectClose } from "../expect_close.ts";
import { map, nd, scalar } from "../nd.ts";
import { crossEntropy, mseLoss } from "./loss.ts";
import { sum } from "./reduce.ts";

describe("crossEntropy()", () => {
  it("is log C for logits that are all equal", () => {
    expectClose(crossEntropy(nd([3, 8]), nd([3], [0, 5, 7])).data, [Math.log(8)], 1e-15);
  });

  it("is minus the log of the target's probability", () => {
    const logits = nd([2, 3], [1, 3, 4].concat([2, 2, 4]).map(Math.log));
    expectClose(crossEntropy(logits, nd([2], [1, 2]), { reduction: "none" }).data, [Math.log(8 / 3), Math.log(2)], 1e-15);
  });

  it("leaves ignored places out of the sum and of the mean's count", () => {
    const logits = seededValues(1, [2, 3, 5]);
    const targets = nd([2, 3], [0, -1, 4, -1, -1, 2]);
    const losses = crossEntropy(logits, targets, { ignoreIndex: -1, reduction: "none" });
    expect(losses.shape).toEqual([2, 3]);
    expect(Array.from(losses.data, (loss) => loss > 0)).toEqual([true, false, true, false, false, true]);
    const total = crossEntropy(logits, targets, { ignoreIndex: -1, reduction: "sum" });
    expect(total).toEqual(sum(losses));
    expect(crossEntropy(logits, targets, { ignoreIndex: -1 }).data[0]).toBe(total.data[0]! / 3);
    expect(
      crossEntropy(
        logits,
        map(targets, () => -1),
        { ignoreIndex: -1 },
      ).data[0],
    ).toBeNaN();
  });

  it("does not see a shift of a row's logits", () => {
    const [logits, targets] = [seededValues(2, [4, 9]), seededIndices(3, [4], 9)];
    expectClose(
      crossEntropy(
        map(logits, (v) => v + 100),
        targets,
      ).data,
      crossEntropy(logits, targets),
      1e-12,
    );
  });
});

describe("mseLoss()", () => {
  it("averages, sums or keeps the squares of the differences", () => {
    const [x, target] = [nd([2, 2], [1, 2, 3, 4]), nd([2], [1, 0])];
    expect(mseLoss(x, target, { reduction: "none" })).toEqual(nd([2, 2], [0, 4, 4, 16]));
    expect(mseLoss(x, target, { reduction: "sum" })).toEqual(scalar(24));
    expect(mseLoss(x, target)).toEqual(scalar(6));
  });
});
