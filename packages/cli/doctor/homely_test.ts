import { describe, expect, it } from "vitest";
import { homely } from "./homely.ts";

describe("homely()", () => {
  it("shortens the home folder in all texts of a value, and no other folder that begins alike", () => {
    const value = { a: ["/home/al/runs", 3, null], b: "VK=/home/al/icd.json:/home/al", c: "/home/alice/runs", d: "/home/al-2", e: true };
    const short = { a: ["~/runs", 3, null], b: "VK=~/icd.json:~", c: "/home/alice/runs", d: "/home/al-2", e: true };
    expect(homely(value, "/home/al")).toEqual(short);
  });

  it("takes names literally, Windows' too, and leaves all as it is where there is no home", () => {
    expect(homely("C:\\Users\\a.b\\x and C:\\Users\\aXb", "C:\\Users\\a.b")).toBe("~\\x and C:\\Users\\aXb");
    expect(homely("/x/y", "/")).toBe("/x/y");
    expect(homely("/x/y", "")).toBe("/x/y");
  });
});
