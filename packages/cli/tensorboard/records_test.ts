import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRecord, readRecords } from "./records.ts";

const list = fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 6 });

describe("readRecords()", () => {
  it("reads what encodeRecord() wrote, whole records only, wherever the file was torn", () => {
    fc.assert(
      fc.property(list, fc.nat(), (all, cut) => {
        const records = all.map(encodeRecord);
        const file = Buffer.concat(records);
        const torn = file.subarray(0, cut % (file.length + 1));
        const ends = records.map((_, i) => Buffer.concat(records.slice(0, i + 1)).length);
        const whole = ends.filter((end) => end <= torn.length).length;
        expect(readRecords(torn).map(({ data }) => [...data])).toEqual(all.slice(0, whole).map((data) => [...data]));
      }),
    );
  });

  it("stops before a record in which any bit has changed", () => {
    fc.assert(
      fc.property(list, fc.nat(), (all, at) => {
        const records = all.map(encodeRecord);
        const file = Buffer.concat(records);
        const bit = at % (8 * file.length);
        file[bit >> 3]! ^= 1 << (bit & 7);
        const broken = records.findIndex((_, i) => Buffer.concat(records.slice(0, i + 1)).length > bit >> 3);
        expect(readRecords(file)).toHaveLength(broken);
      }),
    );
  });
});
