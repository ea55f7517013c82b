import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scrollToRow, visibleRows } from "./virtual_rows.ts";

const lists = fc.record({
  count: fc.integer({ min: 0, max: 5000 }),
  rowHeight: fc.integer({ min: 20, max: 60 }),
  scrollTop: fc.integer({ min: 0, max: 400_000 }),
  height: fc.integer({ min: 0, max: 1200 }),
});

describe("visibleRows", () => {
  it("has every row of the window, none that is not there, and few besides", () => {
    fc.assert(
      fc.property(lists, ({ count, rowHeight, scrollTop, height }) => {
        const { first, last } = visibleRows({ count, rowHeight, scrollTop, height });
        expect(first).toBeGreaterThanOrEqual(0);
        expect(last).toBeLessThanOrEqual(count);
        for (let row = 0; row < count; row++) {
          const isSeen = (row + 1) * rowHeight > scrollTop && row * rowHeight < scrollTop + height;
          if (isSeen) expect(row >= first && row < last).toBe(true);
        }
        expect(last - first).toBeLessThanOrEqual(height / rowHeight + 15);
      }),
    );
  });

  it("shows any row after scrolling to it", () => {
    fc.assert(
      fc.property(lists, fc.nat(), ({ count, rowHeight, scrollTop, height }, some) => {
        fc.pre(count > 0 && height >= rowHeight);
        const row = some % count;
        const top = scrollToRow(row, { rowHeight, scrollTop, height });
        expect(top).toBeLessThanOrEqual(row * rowHeight);
        expect(top + height).toBeGreaterThanOrEqual((row + 1) * rowHeight);
        expect(scrollToRow(row, { rowHeight, scrollTop: top, height })).toBe(top);
      }),
    );
  });
});
