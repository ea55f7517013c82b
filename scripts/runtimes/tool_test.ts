import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UnreachableError } from "../gpu/npm_package.mjs";
import { installedTool, sayThatSkipped, UnavailableError } from "./tool.mjs";

describe("installedTool", () => {
  let cache: string;
  const unpack = vi.fn(async (folder: string) => writeFileSync(join(folder, "program"), "1"));
  const tool = { name: "program", version: "1.2.3", source: "a program", file: "program", unpack };

  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), "tool-"));
    vi.stubEnv("XDG_CACHE_HOME", cache);
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    unpack.mockClear();
    rmSync(cache, { recursive: true });
  });

  it("fetches a version once, and says so", async () => {
    const path = await installedTool(tool, { download: true });
    expect(readFileSync(path, "utf8")).toBe("1");
    expect(process.stderr.write).toHaveBeenCalledWith(expect.stringContaining("Fetching a program, once, into"));
    expect(await installedTool(tool, { download: false })).toBe(path);
    expect(unpack).toHaveBeenCalledTimes(1);
    expect(await installedTool({ ...tool, version: "1.2.4" }, { download: true })).not.toBe(path);
  });

  it("is unavailable where it may not be fetched, and where the registry does not answer", async () => {
    await expect(installedTool(tool, { download: false })).rejects.toThrow(UnavailableError);
    unpack.mockRejectedValueOnce(new UnreachableError("the npm registry does not answer (ENOTFOUND)"));
    await expect(installedTool(tool, { download: true })).rejects.toThrow(
      new UnavailableError("the npm registry does not answer (ENOTFOUND)"),
    );
    expect(existsSync(join(cache, "cursive", "program", "1.2.3"))).toBe(false);
  });

  it("fails, and is not skipped, where the fault is this project's", async () => {
    unpack.mockRejectedValueOnce(new Error("Expected npm to fetch program@1.2.3 but found: npm error code E404"));
    const error = await installedTool(tool, { download: true }).catch((reason: unknown) => reason);
    expect(error).not.toBeInstanceOf(UnavailableError);
    expect(() => sayThatSkipped("Program", error)).toThrow("E404");
  });
});
