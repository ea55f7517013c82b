import { describe, expect, it } from "vitest";
import { rowsTold } from "./rows_told.ts";

describe("rowsTold", () => {
  it("calls ink what is ink, and names the kinds of anything else", () => {
    expect(rowsTold({ rows: 18432 }, (rows) => rows.toLocaleString("en"))).toBe("18,432 tokens of ink");
    expect(rowsTold({ rows: 1 }, String)).toBe("1 token of ink");
    expect(rowsTold({ rows: 960, tokens: ["radius", "pad"] }, String)).toBe("960 tokens (lengths, PAD)");
  });
});
