import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/mini.ts";
import { checkDisk } from "./disk.ts";
import { runDoctor } from "./run_doctor.ts";

const isRoot = process.getuid?.() === 0;

/** Mounts a file system in memory, where this process may; undefined, with the reason printed, where not. */
function mountTmpfs(options: string): { path: string; [Symbol.dispose]: () => void } | undefined {
  if (process.platform !== "linux" || !isRoot) {
    console.log("skipped: mounting a small file system takes root on Linux");
    return undefined;
  }
  const path = mkdtempSync(join(tmpdir(), "cursive-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "pipe" });
  } catch (error) {
    rmSync(path, { recursive: true });
    console.log(`skipped: no file system could be mounted: ${(error as Error).message.split("\n")[1]}`);
    return undefined;
  }
  return {
    path,
    [Symbol.dispose]: () => {
      execFileSync("umount", [path]);
      rmSync(path, { recursive: true });
    },
  };
}

const writing = async (runs: string) => (await checkDisk(runs)).find(({ id }) => id === "disk.write")!;

describe("checkDisk()", () => {
  it("writes, reads and leaves nothing, also where the folder of runs has yet to be made", async () => {
    using folder = temporaryFolder();
    const before = readdirSync(folder.path);
    const [space, write] = await checkDisk(join(folder.path, "deep", "runs"));
    expect(space).toMatchObject({ id: "disk.space", data: { free: expect.any(Number) } });
    expect(write).toMatchObject({ id: "disk.write", status: "ok", data: { bytes: 4 << 20 } });
    expect(readdirSync(folder.path)).toEqual(before);
  });

  it("fails where the runs' place is a file", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "runs"), "");
    expect(await writing(join(folder.path, "runs"))).toMatchObject({ status: "fail", fix: expect.stringContaining("--runs") });
  });

  it("makes the whole report fail, and the answer to whether it starts a no", async () => {
    using folder = temporaryFolder();
    const runs = join(folder.path, "runs");
    writeFileSync(runs, "");
    const report = await runDoctor({ runs, quick: true, thorough: false, gpu: async () => {} });
    expect(report).toMatchObject({ exitCode: 1, verdict: { starts: { answer: "no", text: expect.stringContaining("write") } } });
  });

  it.skipIf(process.platform === "win32" || isRoot)(
    "fails in a folder that may not be written, with the command that makes one, and changes no other",
    async () => {
      using folder = temporaryFolder();
      const closed = join(folder.path, "closed");
      mkdirSync(closed);
      chmodSync(closed, 0o555);
      expect(await writing(closed)).toMatchObject({
        status: "fail",
        fix: expect.stringMatching(/^sudo install -d -o "\$USER" .*closed/),
        data: { code: "EACCES" },
      });
    },
  );

  it("fails on a read-only file system", async () => {
    using mounted = mountTmpfs("size=8m,ro");
    if (!mounted) return;
    expect(await writing(mounted.path)).toMatchObject({
      status: "fail",
      found: expect.stringContaining("read-only"),
      data: { code: "EROFS" },
    });
  });

  it("fails on a disk that is full, and warns of one that nearly is", async () => {
    using full = mountTmpfs("size=1m");
    if (!full) return;
    const [space, write] = await checkDisk(full.path);
    expect(space).toMatchObject({ status: "warn", fix: expect.stringContaining("runs rm") });
    expect(write).toMatchObject({ status: "fail", found: expect.stringContaining("found it full"), data: { code: "ENOSPC" } });
    expect(readdirSync(full.path)).toEqual([]);
  });
});
