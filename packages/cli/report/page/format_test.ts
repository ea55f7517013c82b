import { describe, expect, it } from "vitest";
import { decimals, duration, shortNumber } from "./format.ts";

describe("numbers of a report", () => {
  it("are short on axes", () => {
    const cases = {
      0: "0",
      0.0005: "5e-4",
      0.025: "0.025",
      4.5: "4.5",
      2500: "2500",
      12500: "12.5k",
      110000: "110k",
      3520000: "3.5M",
      2e9: "2G",
    };
    for (const [value, text] of Object.entries(cases)) expect(shortNumber(Number(value))).toBe(text);
  });

  it("are exact enough at the pointer", () => {
    const cases = { 0: "0", 0.000333: "3.33e-4", 0.005: "0.005000", 2.53125: "2.531", 25774.4: "25,774", 2e7: "2.00e+7" };
    for (const [value, text] of Object.entries(cases)) expect(decimals(Number(value))).toBe(text);
  });

  it("are times on a clock", () => {
    const cases = { 0: "0:00", 0.7: "0.7 s", 45: "0:45", 723.9: "12:03", 3723: "1:02:03", 100000: "27:46:40" };
    for (const [value, text] of Object.entries(cases)) expect(duration(Number(value))).toBe(text);
  });
});
