import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installOnce } from "./cache.mjs";

describe("installOnce", () => {
  let root: string;
  let folder: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "install-once-"));
    folder = join(root, "deep", "driver");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** Fills a folder slowly, in two files, so that an unfinished one would show. */
  const build = async (temporary: string): Promise<void> => {
    writeFileSync(join(temporary, "first"), "1");
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(existsSync(folder)).toBe(false);
    writeFileSync(join(temporary, "second"), "2");
  };

  it("builds once when several starts ask at the same time", async () => {
    let builds = 0;
    let waits = 0;
    const count = (temporary: string): Promise<void> => {
      builds++;
      return build(temporary);
    };
    const onWait = (): void => {
      waits++;
    };
    await Promise.all([1, 2, 3].map(() => installOnce(folder, count, { onWait })));
    expect({ builds, waits }).toEqual({ builds: 1, waits: 2 });
    expect(readdirSync(folder)).toEqual(["first", "second"]);
  });

  it("leaves nothing behind when a build fails, so that the next start tries again", async () => {
    const fail = async (temporary: string): Promise<void> => {
      writeFileSync(join(temporary, "first"), "1");
      throw new Error("the archive does not answer");
    };
    await expect(installOnce(folder, fail)).rejects.toThrow("the archive does not answer");
    expect(readdirSync(join(root, "deep"))).toEqual([]);
    await installOnce(folder, build);
    expect(readdirSync(folder)).toEqual(["first", "second"]);
  });

  it("takes over from a start that was killed, and removes what it left", async () => {
    await installOnce(folder, build);
    rmSync(folder, { recursive: true });
    const dead = spawnSync(process.execPath, ["-e", ""]);
    writeFileSync(`${folder}.lock`, String(dead.pid));
    writeFileSync(`${folder}.part-left`, "");
    await installOnce(folder, build);
    expect(readdirSync(join(root, "deep"))).toEqual(["driver"]);
  });

  it("keeps what is there while it is usable, and builds it anew when it is not", async () => {
    await installOnce(folder, build);
    writeFileSync(join(folder, "first"), "old");
    await installOnce(folder, build);
    expect(readFileSync(join(folder, "first"), "utf8")).toBe("old");
    await installOnce(folder, async (temporary) => writeFileSync(join(temporary, "first"), "new"), { isUsable: () => false });
    expect(readFileSync(join(folder, "first"), "utf8")).toBe("new");
  });
});
