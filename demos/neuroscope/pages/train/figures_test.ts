import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clock, figure, GrowingColumns, speed } from "./figures.ts";

describe("figures", () => {
  it("are short, and exact enough", () => {
    expect([figure(1.23456), figure(0.000123), figure(0), figure(Number.NaN), figure(12345.6)]).toEqual(["1.235", "1.2e−4", "0", "–", "12350"]); // biome-ignore format: one line
    expect([clock(7), clock(760), clock(3720), clock(59.7)]).toEqual(["0:07", "12:40", "1:02:00", "1:00"]);
    expect([speed(940), speed(12_400), speed(1_200_000)]).toEqual(["940", "12.4 k", "1.20 M"]);
  });
});

/** Rows of one number after their step. */
const rowsOf = (values: readonly number[]): number[][] => values.map((value, i) => [i + 1, value]);

function smoothed(values: readonly number[], smooth: number): (number | null)[] {
  const columns = new GrowingColumns([{ column: 1, smooth }]);
  columns.take(rowsOf(values));
  return columns.data[2]!;
}

describe("GrowingColumns", () => {
  it("has means between the least and the greatest so far, leaves a constant alone, and gaps gaps", () => {
    const drawn = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(drawn, fc.constantFrom(0.01, 0.5, 0.98), (values, keep) => {
        for (const [i, mean] of smoothed(values, keep).entries()) {
          const before = values.slice(0, i + 1);
          expect(mean).toBeGreaterThanOrEqual(Math.min(...before) - 1e-9);
          expect(mean).toBeLessThanOrEqual(Math.max(...before) + 1e-9);
        }
      }),
    );
    expect(smoothed([3, Number.NaN, 3], 0.9)).toEqual([3, null, 3]);
  });

  it("comes to the same in pieces, amended, cut and begun anew, and looks at new rows only", () => {
    const value = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constant(Number.NaN));
    const change = fc.record({ keep: fc.nat({ max: 12 }), added: fc.array(value, { maxLength: 6 }) });
    const lines = [{ column: 1, smooth: 0.9 }, { column: 1 }];
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const growing = new GrowingColumns(lines);
        const first = growing.data[0];
        let rows: number[][] = [];
        for (const { keep, added } of changes) {
          rows = [...rows.slice(0, keep), ...rowsOf(added)];
          growing.take(rows);
          const whole = new GrowingColumns(lines);
          whole.take(rows);
          expect(growing.data).toEqual(whole.data);
        }
        expect(growing.data[0]).toBe(first);
      }),
    );
    let reads = 0;
    const get = (row: number[], name: string | symbol): unknown => {
      reads++;
      return Reflect.get(row, name);
    };
    const watched = rowsOf([1, 2, 3]).map((row) => new Proxy(row, { get }));
    const growing = new GrowingColumns(lines);
    growing.take(watched);
    const once = reads;
    growing.take([...watched, [4, 4]]);
    expect(reads).toBe(once);
  });
});
