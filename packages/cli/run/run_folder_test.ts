import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { findRun, listRuns } from "./find_run.ts";
import { RunFolder, runNumber } from "./run_folder.ts";

const files = { "config.json": "{}" };

describe("RunFolder", () => {
  it("is numbered after all runs before it, of whatever name, and never one that was there", async () => {
    using parent = temporaryFolder();
    mkdirSync(join(parent.path, "tiny-003"));
    writeFileSync(join(parent.path, "note-007"), "a file");
    mkdirSync(join(parent.path, ".starting-0c5e6c2f-9d0b-4c1e-8a11-280029196533")); // another process is making one
    const made = [];
    for (const name of ["tiny", "wide", "tiny"]) made.push(await RunFolder.create(parent.path, { name, files }));
    expect(made.map((folder) => folder.name)).toEqual(["tiny-008", "wide-009", "tiny-010"]);
    expect(readFileSync(made[0]!.file("config.json"), "utf8")).toBe("{}");
  });

  it("goes to different processes that make one at once", async () => {
    using parent = temporaryFolder();
    const made = await Promise.all(Array.from({ length: 6 }, () => RunFolder.create(parent.path, { name: "run", files })));
    expect(new Set(made.map((folder) => folder.name)).size).toBe(6);
    expect(readdirSync(parent.path).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("belongs to one until it is released", async () => {
    using parent = temporaryFolder();
    const folder = await RunFolder.create(parent.path, { name: "run", files });
    await expect(RunFolder.open(folder.path)).rejects.toThrow(UsageError);
    await folder.release();
    await (await RunFolder.open(folder.path)).release();
  });

  it("says in a line where none can be made", async () => {
    using parent = temporaryFolder();
    const message = `Expected a folder that can be written at ${parent.config} but found`;
    await expect(RunFolder.create(parent.config, { name: "run", files })).rejects.toThrow(message);
  });

  it("writes files whole: nothing of a failed write is left, and what was there stays", async () => {
    using parent = temporaryFolder();
    const folder = await RunFolder.create(parent.path, { name: "run", files });
    await folder.write("a/b.txt", "first");
    mkdirSync(folder.file("a/b.txt.partial"));
    await expect(folder.write("a/b.txt", "second")).rejects.toThrow("EISDIR");
    expect(readFileSync(folder.file("a/b.txt"), "utf8")).toBe("first");
  });
});

describe("findRun()", () => {
  it("finds a run by its name, its number, its path, and the last one", async () => {
    using parent = temporaryFolder();
    for (const name of ["tiny", "wide"]) await RunFolder.create(parent.path, { name, files });
    const wide = { name: "wide-002", path: join(parent.path, "wide-002"), number: 2 };
    for (const asked of ["wide-002", "2", "002", wide.path, "last"]) expect(await findRun(parent.path, asked)).toEqual(wide);
    expect((await listRuns(parent.path)).map((run) => run.number)).toEqual([1, 2]);
  });

  it("names the nearest where there is none, and both where a number has two", async () => {
    using parent = temporaryFolder();
    await expect(findRun(parent.path, "last")).rejects.toThrow("there are none yet");
    await expect(findRun(join(parent.path, "nowhere"), "3")).rejects.toThrow("there are none yet");
    await RunFolder.create(parent.path, { name: "tiny", files });
    await expect(findRun(parent.path, "tini-001")).rejects.toThrow("found no 'tini-001': the nearest are tiny-001");
    mkdirSync(join(parent.path, "old-001"));
    writeFileSync(join(parent.path, "old-001", "config.json"), "{}");
    await expect(findRun(parent.path, "1")).rejects.toThrow("Expected one run with number 1 but found old-001, tiny-001");
  });
});

describe("runNumber()", () => {
  it("reads the number at the end of a name", () => {
    expect(["tiny-007", "a-12-0013", "tiny", "tiny-7"].map(runNumber)).toEqual([7, 13, undefined, undefined]);
  });
});
