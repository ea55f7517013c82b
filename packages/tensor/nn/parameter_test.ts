import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { AutogradError, ShapeError } from "../errors.ts";
import { full } from "../ops/copy.ts";
import { Parameter, parameterMoves } from "./parameter.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const host = (shape: number[], data: number[]) => ({ shape, dtype: "f32", data: Float32Array.from(data) }) as const;

describe("Parameter", () => {
  it("is a leaf that wants a gradient, over the memory of its values", async () => {
    const values = tensor([[1, 2]]);
    const p = new Parameter(values);
    expect([p.requiresGrad, p.tape, p.storage === values.storage]).toEqual([true, undefined, true]);
    p.mul(p).sum().backward();
    expect(await p.grad!.array()).toEqual([[2, 4]]);
  });

  it("lays values out in a row that are none", async () => {
    const p = new Parameter(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]).transpose(0, 1),
    );
    expect([p.isContiguous, p.shape]).toEqual([true, [3, 2]]);
    expect(await p.array()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
  });

  it("holds f32 alone", () => {
    expect(() => new Parameter(tensor([1], { dtype: "i32" }))).toThrow(AutogradError);
  });

  it("takes host values of its shape and refuses others, keeping what it has", async () => {
    const p = new Parameter(tensor([1, 2]));
    expect(() => p.load(host([1, 2], [3, 4]))).toThrow(ShapeError);
    expect(() => p.load(host([1, 2], [3, 4]))).toThrow("Expected shape [2] but found [1, 2]");
    expect(await p.array()).toEqual([1, 2]);
    const { storage } = p;
    p.load(host([2], [3, 4]));
    expect([await p.array(), p.storage === storage]).toEqual([[3, 4], true]);
  });

  it("keeps its values when it moves, and each move counts", async () => {
    const [p, arena] = [new Parameter(tensor([1, 2])), full([128], 0, { device })];
    const moves = parameterMoves();
    p.move(arena.storage, 64);
    expect([parameterMoves(), p.offset, p.storage === arena.storage]).toEqual([moves + 1, 64, true]);
    expect(await p.array()).toEqual([1, 2]);
    p.fill(7);
    expect([...(await arena.data())].flatMap((v, i) => (v === 7 ? [i] : []))).toEqual([64, 65]);
  });
});
