import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FileResult } from "./run_test_file.ts";
import { nodeRuntime } from "./runtime.mjs";

const SAMPLE = `
  import { beforeAll, describe, expect, it, vi } from ${JSON.stringify(new URL("vitest.ts", import.meta.url).href)};

  let ready = false;
  beforeAll(async () => {
    await Promise.resolve();
    ready = true;
  });

  describe.each(["a", "b"])("group %s", (name) => {
    it("waits for hooks and compares deeply", async () => {
      expect(ready).toBe(true);
      expect({ name, list: [1, 2] }).toEqual({ name: expect.any(String), list: [1, expect.closeTo(2, 5)] });
      await expect(Promise.reject(new RangeError("no"))).rejects.toThrow(RangeError);
    });
  });

  it("fails where it should", () => expect([1, 2]).toEqual([1, 3]));
  it("fails that takes too long", () => new Promise((resolve) => setTimeout(resolve, 60_000)));
  it("spies", () => {
    const spy = vi.spyOn(Math, "sin").mockReturnValue(7);
    expect(Math.sin(1)).toBe(7);
    expect(spy).toHaveBeenCalledWith(1);
    vi.restoreAllMocks();
    expect(Math.sin(0)).toBe(0);
  });
  it("skips itself", ({ skip }) => skip(true, "no such adapter"));
  it.skipIf(ready === false)("is skipped from outside", () => {});
  it.for([1, 2])("takes %i and its context", (n, { skip }) => {
    skip(n === 2, "two");
    expect(n).toBe(1);
  });
`;

describe("runTestFile", () => {
  const runtime = nodeRuntime();
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "run-test-file-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (source: string): Promise<FileResult> => {
    const file = join(folder, "sample_test.mts");
    writeFileSync(file, source);
    return runtime.call(runtime.url("scripts/runtimes/run_test_file.ts"), "runTestFile", pathToFileURL(file).href, { timeout: 1000 });
  };

  it("runs groups, tables, hooks, matchers and spies as vitest does, and tells failures from skips", async () => {
    const { tests, errors } = await run(SAMPLE);
    expect(errors).toEqual([]);
    expect(tests.map(({ name, state }) => [name, state])).toEqual([
      ["group a > waits for hooks and compares deeply", "passed"],
      ["group b > waits for hooks and compares deeply", "passed"],
      ["fails where it should", "failed"],
      ["fails that takes too long", "failed"],
      ["spies", "passed"],
      ["skips itself", "skipped"],
      ["is skipped from outside", "skipped"],
      ["takes 1 and its context", "passed"],
      ["takes 2 and its context", "skipped"],
    ]);
    const notes = (name: string): string => tests.find((test) => test.name === name)!.notes.join("\n");
    expect(notes("fails where it should")).toContain("expected [ 1, 2 ] to deeply equal [ 1, 3 ]");
    expect(notes("fails that takes too long")).toContain("timed out in 1000ms");
    expect(notes("skips itself")).toBe("no such adapter");
  });

  it("tells of a file that fails before its first test", async () => {
    expect(await run('throw new Error("no device");')).toMatchObject({ tests: [], errors: [expect.stringContaining("no device")] });
  });
});

describe("a runtime of processes", () => {
  it("says how a process ended that gave no result", async () => {
    const crash = nodeRuntime().call("data:text/javascript,export const f = () => process.exit(3);", "f");
    await expect(crash).rejects.toThrow("Expected a result but Node ended with code 3");
  });
});
