import { describe, expect, it } from "vitest";
import { nearest } from "./nearest.ts";

describe("nearest", () => {
  it("puts the names that take the fewest edits first", () => {
    expect(nearest("c_prj", ["c_attn", "c_proj", "ln_1", "c_fc"], 2)).toEqual(["c_proj", "c_fc"]);
  });

  it("counts an insertion, a removal and a replacement as one each", () => {
    expect(nearest("abc", ["xyzw", "abcd", "ab", "axc", "abc"], 4)).toEqual(["abc", "abcd", "ab", "axc"]);
  });

  it("keeps the given order among equals, and gives three unless asked", () => {
    expect(nearest("", ["b", "a", "d", "c"])).toEqual(["b", "a", "d"]);
  });

  it("gives what there is", () => {
    expect(nearest("x", ["y"])).toEqual(["y"]);
    expect(nearest("x", [])).toEqual([]);
  });
});
