import { describe, expect, it } from "vitest";
import { clock, megabytes, ProgressLine, short } from "./progress.ts";
import { table } from "./table.ts";

/** A stream that remembers what it was given. */
function fakeStream(fields: { isTTY: boolean; columns?: number }): { stream: NodeJS.WriteStream; written: string[] } {
  const written: string[] = [];
  const write = (text: string): boolean => written.push(text) > 0;
  return { stream: { ...fields, write } as unknown as NodeJS.WriteStream, written };
}

describe("ProgressLine", () => {
  it("prints plain lines now and then off a terminal, and on one that has no width", () => {
    for (const fields of [{ isTTY: false }, { isTTY: true, columns: 0 }]) {
      const { stream, written } = fakeStream(fields);
      const line = new ProgressLine(stream);
      line.update("step 1");
      line.update("step 2"); // too soon after
      line.note("saved");
      line.stop();
      expect(written).toEqual(["step 1\n", "saved\n"]);
    }
  });
});

describe("numbers for people", () => {
  it("are short", () => {
    expect([clock(0), clock(61.4), clock(3723)]).toEqual(["00:00", "01:01", "1:02:03"]);
    expect([short(7.4), short(4321), short(41_200), short(1_200_000)]).toEqual(["7", "4.3k", "41k", "1.2M"]);
    expect([megabytes(812), megabytes(64_000), megabytes(1.44e6), megabytes(5e9)]).toEqual(["812 B", "64.0 kB", "1.4 MB", "5.00 GB"]);
  });

  it("stand in columns, to the right", () => {
    expect(table([["run", "loss"], ["tiny-001", "2.5"]])).toBe("run       loss\ntiny-001   2.5"); // biome-ignore format: a table
  });
});
