import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { figures, writeRows } from "./rows.ts";
import { someRow } from "./testing/some_row.ts";

describe("figures", () => {
  const counts = { dispatches: 9, submits: 1, buffers: 0, bindGroups: 0, pipelines: 0 };

  it("are the median, the spread, the ratio and the rate", () => {
    expect(figures({ times: [4, 2, 3], cpuTimes: [6, 5, 4], reference: [1, 1, 1], operations: 6e9, counts })).toEqual({
      ms: 3,
      min: 2,
      max: 4,
      cpuMs: 5,
      repeats: 3,
      ratio: 3,
      gflops: 2000,
      dispatches: 9,
      submits: 1,
      buffers: 0,
      bindGroups: 0,
    });
  });

  it("are null where nothing was measured", () => {
    const none = figures({ times: [], cpuTimes: [], reference: undefined, operations: 5, counts: null });
    expect(none).toMatchObject({ ms: null, min: null, max: null, cpuMs: null, repeats: 0, ratio: null, gflops: null, dispatches: null });
    expect(figures({ times: [1], cpuTimes: [], reference: [], operations: undefined, counts })).toMatchObject({
      ratio: null,
      gflops: null,
    });
  });
});

describe("writeRows", () => {
  it("writes a line of JSON a row, over the rows written before", async () => {
    const folder = await mkdtemp(join(tmpdir(), "rows-"));
    try {
      const path = join(folder, "rows.jsonl");
      const rows = [someRow({ engine: "cursive" }), someRow({ engine: "jax-js", ms: null, note: "over\ntwo lines" })];
      await writeRows(path, rows.slice(0, 1));
      await writeRows(path, rows);
      const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line))).toEqual(rows);
      expect(await readdir(folder)).toEqual(["rows.jsonl"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
