import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { decodeFloat16 } from "../io/half_precision.ts";
import type { Tensor } from "../tensor.ts";
import { runs, seed, seededValues } from "../testing/mod.ts";
import { packFloat16, unpackFloat16 } from "./float16.ts";

beforeAll(() => openDevice());

/** All finite halves from 0 on, ascending: their bits are their places. */
const halves = Float64Array.from({ length: 0x7c00 }, (_, bits) => decodeFloat16(bits));

/** The nearest half by search, of two as near the even one: an oracle without bit tricks. */
function nearestHalf(value: number): number {
  const sign = Object.is(Math.sign(value), -0) || value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return sign | 0x7e00;
  if (size >= 65_520) return sign | 0x7c00; // halfway to what the next exponent would hold
  let [low, high] = [0, halves.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (halves[middle]! <= size) low = middle;
    else high = middle - 1;
  }
  const above = low + 1 < halves.length ? halves[low + 1]! : 65_536;
  const [down, up] = [size - halves[low]!, above - size];
  return sign | (down < up || (down === up && low % 2 === 0) ? low : low + 1);
}

async function packedBits(values: Float32Array<ArrayBuffer>): Promise<Uint16Array> {
  return new Uint16Array(((await packFloat16(tensor(values)).data()) as Uint32Array<ArrayBuffer>).buffer);
}

async function agrees(values: Float32Array<ArrayBuffer>): Promise<void> {
  const bits = await packedBits(values);
  for (const [i, value] of values.entries())
    if (Number.isNaN(value)) expect(bits[i]! & 0x7fff).toBe(0x7e00);
    else expect([value, bits[i]!.toString(16)]).toEqual([value, nearestHalf(value).toString(16)]);
}

/** Floats by their bits, of all exponents alike and of those near halves' limits. */
const floats = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc
        .tuple(fc.integer({ min: 100, max: 144 }), fc.integer({ min: 0, max: 0x7f_ffff }), fc.boolean())
        .map(([exponent, fraction, negative]) => ((Number(negative) << 31) | (exponent << 23) | fraction) >>> 0),
      // on and beside the middle between two halves
      fc
        .tuple(fc.integer({ min: 0, max: 0x7bfe }), fc.integer({ min: -1, max: 1 }))
        .map(([half, beside]) => new Uint32Array(Float32Array.of((halves[half]! + halves[half + 1]!) / 2).buffer)[0]! + beside),
    ),
    { minLength: 1, maxLength: 65 },
  )
  .map((bits) => new Float32Array(Uint32Array.from([...bits, ...bits]).buffer));

describe("packFloat16", () => {
  it("rounds every float to the nearest half, ties to even", async () => {
    await fc.assert(fc.asyncProperty(floats, agrees), runs(60));
  });

  it("meets the corners: zeros, the least and the greatest, infinities, NaN", async () => {
    await agrees(
      Float32Array.of(
        0,
        -0,
        2 ** -24,
        2 ** -25,
        2 ** -25 * 1.001,
        2 ** -26,
        2 ** -14,
        65_504,
        65_519.996,
        65_520,
        -65_536,
        1e30,
        Infinity,
        -Infinity,
        NaN,
        1,
      ),
    );
  });

  it("is undone exactly for every half there is", async () => {
    const bits = Uint16Array.from({ length: 0x1_0000 }, (_, i) => i);
    const words = tensor(new Uint32Array(bits.buffer));
    const values = (await unpackFloat16(words).data()) as Float32Array<ArrayBuffer>;
    for (const bit of bits) expect(Object.is(values[bit], decodeFloat16(bit)) || `${bit} gives ${values[bit]}`).toBe(true);
    const again = await packedBits(values);
    for (const bit of bits) if ((bit & 0x7fff) <= 0x7c00) expect(again[bit]).toBe(bit);
  });

  it("keeps rows apart, takes views, and runs in captured steps", async () => {
    const step = capture((x: Tensor) => unpackFloat16(packFloat16(x.transpose(0, 1))), { poison: true });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70 }), seed(), async (pairs, rows, seed) => {
        const { data } = seededValues(seed, [2 * pairs, rows]);
        const y = await step(tensor(Float32Array.from(data), { shape: [2 * pairs, rows] }));
        expect(y.shape).toEqual([rows, 2 * pairs]);
        const found = await y.data();
        for (let row = 0; row < rows; row++)
          for (let d = 0; d < 2 * pairs; d++)
            expect(found[row * 2 * pairs + d]).toBe(decodeFloat16(nearestHalf(Math.fround(data[d * rows + row]!))));
      }),
      runs(15),
    );
  });

  it("refuses odd widths and other dtypes", () => {
    expect(() => packFloat16(tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => packFloat16(tensor([1, 2], { dtype: "i32" }))).toThrow(DTypeError);
    expect(() => unpackFloat16(tensor([1, 2]))).toThrow(DTypeError);
  });

  it("is caught when ties no longer go to even", async () => {
    await withMutation("float16", [/- 1u \+ odd/, ""], () => expect(agrees(Float32Array.of(1 + 2 ** -11, 1))).rejects.toThrow());
  });
});
