import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arange, fromHost, ones, tensor, zeros } from "./create.ts";
import type { Device } from "./device/device.ts";
import { openDevice } from "./device/open.ts";
import type { DType } from "./dtype.ts";
import { AutogradError, ShapeError } from "./errors.ts";
import { runs, seededValues, shape } from "./testing/mod.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const dtypes: DType[] = ["f32", "i32", "u32", "bool"];

describe("tensor", () => {
  it("gives back the values of any shape that it was given", async () => {
    await fc.assert(
      fc.asyncProperty(shape({ maxCount: 600 }), fc.nat(1e6), async (shape, seed) => {
        const data = Float32Array.from(seededValues(seed, shape, "adversarial").data);
        const t = tensor(data, { shape });
        expect([t.shape, t.dtype, t.isContiguous]).toEqual([shape, "f32", true]);
        expect(await t.data()).toEqual(data);
        const again = tensor((await t.array()) as never);
        expect([again.shape, await again.data()]).toEqual([shape, data]);
      }),
      runs(20),
    );
  });

  it("keeps the dtype of a typed array, and takes numbers as f32 and truths as bool", async () => {
    expect(tensor(new Int32Array(2)).dtype).toBe("i32");
    expect(tensor(new Uint32Array(2)).dtype).toBe("u32");
    expect(tensor(new Uint8Array(2)).dtype).toBe("bool");
    expect(tensor([1, 2]).dtype).toBe("f32");
    expect(tensor([[true], [false]]).dtype).toBe("bool");
    expect([...(await tensor([true, false]).data())]).toEqual([1, 0]);
    expect([...(await tensor(Uint8Array.of(0, 7)).data())]).toEqual([0, 1]);
  });

  it("converts to the dtype that is asked for", async () => {
    const converted = await Promise.all(dtypes.map((dtype) => tensor([0, 1, 2.75], { dtype }).data()));
    expect(converted.map((data) => [...data])).toEqual([
      [0, 1, 2.75],
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 1],
    ]);
    expect([...(await tensor([-1.5], { dtype: "i32" }).data())]).toEqual([-1]);
  });

  it("takes a number as a scalar, and lists without elements", async () => {
    const scalar = tensor(3);
    expect([scalar.shape, await scalar.item()]).toEqual([[], 3]);
    const empty = tensor([[], []]);
    expect([empty.shape, (await empty.data()).length]).toEqual([[2, 0], 0]);
  });

  it("refuses ragged lists", () => {
    for (const ragged of [
      [[1, 2], [3]],
      [[1], 2],
      [1, [2]],
      [[[1]], [[2, 3]]],
    ]) {
      expect(() => tensor(ragged)).toThrow(ShapeError);
      expect(() => tensor(ragged)).toThrow("tensor: expected nested arrays of equal lengths but found ragged ones");
    }
  });

  it("refuses another number of values than the shape has, and shapes that are none", () => {
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow("tensor: expected 4 values for shape [2, 2] but found 3");
    expect(() => tensor(new Float32Array(5), { shape: [4] })).toThrow("tensor: expected 4 values for shape [4] but found 5");
    expect(() => tensor([1], { shape: [-1] })).toThrow(ShapeError);
    expect(() => tensor([1], { shape: [0.5] })).toThrow(ShapeError);
    expect(() => tensor([1], { shape: new Array(9).fill(1) })).toThrow("of at most 8 axes");
  });

  it("makes a leaf that wants a gradient, of f32 alone", () => {
    expect(tensor([1]).requiresGrad).toBe(false);
    expect(tensor([1], { requiresGrad: true }).requiresGrad).toBe(true);
    for (const dtype of dtypes.slice(1)) expect(() => tensor([1], { dtype, requiresGrad: true })).toThrow(AutogradError);
  });

  it("has memory of its own: later changes of the array do not reach it", async () => {
    const data = Float32Array.of(1, 2);
    const t = tensor(data);
    data.fill(9);
    expect([...(await t.data())]).toEqual([1, 2]);
  });
});

describe("fromHost", () => {
  it("takes shape, dtype and values as they are", async () => {
    const t = fromHost({ shape: [2, 1], dtype: "i32", data: Int32Array.of(5, -6) });
    expect([t.shape, t.dtype, await t.array()]).toEqual([[2, 1], "i32", [[5], [-6]]]);
    expect(() => fromHost({ shape: [3], dtype: "f32", data: new Float32Array(2) })).toThrow("expected 3 values for shape [3] but found 2");
  });
});

describe("zeros and ones", () => {
  it("fill every dtype and shape, also where memory was used before", async () => {
    await fc.assert(
      fc.asyncProperty(shape({ maxCount: 600 }), fc.constantFrom(...dtypes), async (shape, dtype) => {
        for (const [make, value] of [
          [zeros, 0],
          [ones, 1],
        ] as const) {
          const t = make(shape, { dtype });
          expect([t.shape, t.dtype]).toEqual([shape, dtype]);
          expect((await t.data()).every((v) => v === value)).toBe(true);
        }
      }),
      runs(15),
    );
  });

  it("make leaves on request, and refuse sizes that are none", () => {
    expect([zeros([2], { requiresGrad: true }).requiresGrad, ones([2]).requiresGrad]).toEqual([true, false]);
    expect(() => zeros([-1])).toThrow(ShapeError);
  });
});

describe("arange", () => {
  const values = async (...args: Parameters<typeof arange>): Promise<unknown> => arange(...args).array();

  it("counts from start up to but not to end", async () => {
    expect(await values({ end: 4 })).toEqual([0, 1, 2, 3]);
    expect(await values({ start: 2, end: 9, step: 3 })).toEqual([2, 5, 8]);
    expect(await values({ start: 3, end: 0, step: -1 })).toEqual([3, 2, 1]);
    expect(await values({ start: 0, end: 1, step: 0.25 })).toEqual([0, 0.25, 0.5, 0.75]);
    expect(await values({ start: 5, end: 2 })).toEqual([]);
  });

  it("gives i32 for whole numbers and f32 for others, unless a dtype is asked for", () => {
    expect(arange({ end: 3 }).dtype).toBe("i32");
    expect(arange({ end: 1, step: 0.5 }).dtype).toBe("f32");
    expect(arange({ end: 3 }, { dtype: "f32", requiresGrad: true }).requiresGrad).toBe(true);
  });

  it("refuses a range that never ends", () => {
    for (const range of [{ end: 3, step: 0 }, { end: Number.POSITIVE_INFINITY }, { end: Number.NaN }])
      expect(() => arange(range)).toThrow(ShapeError);
  });
});
