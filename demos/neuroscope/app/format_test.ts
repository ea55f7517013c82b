import { describe, expect, it } from "vitest";
import { percent, shortBytes } from "./format.ts";

describe("shortBytes()", () => {
  it("takes the unit that leaves few figures", () => {
    expect([0, 999, 32_768, 966_421, 999_499, 1_800_000, 999_400_000, 2 ** 30, 1.31e12].map(shortBytes)).toEqual([
      "0 B",
      "999 B",
      "33 kB",
      "966 kB",
      "999 kB",
      "1.8 MB",
      "999.4 MB",
      "1.07 GB",
      "1310 GB",
    ]);
  });
});

describe("percent()", () => {
  it("keeps two figures, and says of next to nothing that it is some", () => {
    expect([1, 0.34, 0.052, 0.0012, 0.0001, 0].map(percent)).toEqual(["100 %", "34 %", "5.2 %", "0.1 %", "< 0.1 %", "0 %"]);
  });
});
