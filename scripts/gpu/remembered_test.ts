import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { machineKey, recall, remember } from "./remembered.mjs";

describe("machineKey", () => {
  let data: string;
  const driver = (): { name: string; folder: string } => ({ name: "lavapipe", folder: join(data, "lavapipe") });
  const key = (env: NodeJS.ProcessEnv = {}): string => machineKey({ XDG_DATA_HOME: data, ...env }, [driver()]);

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), "machine-key-"));
  });
  afterEach(() => rmSync(data, { recursive: true }));

  it("stays while nothing changes, whatever other variables say", () => {
    expect(key({ TERM: "dumb" })).toBe(key());
  });

  it("changes when a driver is installed, and when one is upgraded", () => {
    const before = key();
    mkdirSync(join(data, "vulkan", "icd.d"), { recursive: true });
    writeFileSync(join(data, "vulkan", "icd.d", "gpu.json"), "{}");
    const installed = key();
    writeFileSync(join(data, "vulkan", "icd.d", "gpu.json"), "{ }");
    expect(new Set([before, installed, key()]).size).toBe(3);
  });

  it("changes when a driver is fetched", () => {
    const before = key();
    mkdirSync(driver().folder);
    writeFileSync(join(driver().folder, "icd.json"), "{}");
    expect(key()).not.toBe(before);
  });

  it("changes with the variables that choose a driver", () => {
    expect(
      new Set([key(), key({ VK_ICD_FILENAMES: "a" }), key({ VK_LOADER_DRIVERS_SELECT: "b" }), key({ LD_LIBRARY_PATH: "c" })]).size,
    ).toBe(4);
  });
});

describe("recall", () => {
  const cache = process.env.XDG_CACHE_HOME;
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "recall-"));
    process.env.XDG_CACHE_HOME = root;
  });
  afterEach(() => {
    if (cache === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = cache;
    rmSync(root, { recursive: true });
  });

  it("gives back what was remembered under the same key", () => {
    expect(recall("key")).toBeUndefined();
    remember("key", "system");
    expect(recall("key")).toBe("system");
    expect(recall("other")).toBeUndefined();
  });

  it("does without a cache that cannot be written", () => {
    process.env.XDG_CACHE_HOME = join(root, "file");
    writeFileSync(join(root, "file"), "");
    remember("key", "system");
    expect(recall("key")).toBeUndefined();
  });
});
