import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { lockFolder, lockHolder, unlockFolder } from "./lock.ts";

/** A number that a process had which is gone. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await new Promise((resolve) => child.on("exit", resolve));
  return child.pid!;
}

describe("lockFolder()", () => {
  it("makes this process the only one until it lets go, and leaves nothing behind", async () => {
    using folder = temporaryFolder();
    await lockFolder(folder.path);
    expect((await lockHolder(folder.path))?.pid).toBe(process.pid);
    await expect(lockFolder(folder.path)).rejects.toThrow(`nobody works on but found process ${process.pid} at ${folder.path}`);
    await unlockFolder(folder.path);
    expect(await lockHolder(folder.path)).toBeUndefined();
    await lockFolder(folder.path);
    expect(readdirSync(folder.path).sort()).toEqual(["LOCK", "mini.json"]);
  });

  it("takes over the lock of a process that is gone, of one that has another's number, and one that tells nothing", async () => {
    const dead = { pid: await deadPid(), host: hostname(), started: "123" };
    const reused = { pid: process.pid, host: hostname(), started: "1" };
    for (const text of [JSON.stringify(dead), process.platform === "linux" ? JSON.stringify(reused) : "", "", "null", '{"pid":"x"}']) {
      using folder = temporaryFolder();
      writeFileSync(join(folder.path, "LOCK"), text);
      await lockFolder(folder.path);
      expect(JSON.parse(readFileSync(join(folder.path, "LOCK"), "utf8")).pid).toBe(process.pid);
    }
  });

  it("does not judge a process on another machine, but says how to free the run", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "LOCK"), JSON.stringify({ pid: 1, host: "elsewhere", started: null }));
    await expect(lockFolder(folder.path)).rejects.toThrow(/process 1 on elsewhere \(if that has ended, delete .*LOCK\)/);
  });

  it("lets one of many win that come at once, over a dead process's lock too", async () => {
    for (const text of [undefined, JSON.stringify({ pid: await deadPid(), host: hostname(), started: null })]) {
      using folder = temporaryFolder();
      if (text) writeFileSync(join(folder.path, "LOCK"), text);
      const tried = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder.path)));
      expect(tried.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
  });

  it("says in a line that a folder cannot be written", async () => {
    await expect(lockFolder("/dev/null/run")).rejects.toThrow(UsageError);
  });
});
