import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { installPeers } from "./install_peers.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "peers-"));
  vi.stubEnv("CURSIVE_NO_DOWNLOAD", "1");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const said = (): never => {
  throw new Error("Expected nothing to be installed");
};

/** A folder in which version 1.0.0 of a package is wanted, and perhaps another found. */
async function layOut(found?: string): Promise<void> {
  await writeFile(join(folder, "package.json"), JSON.stringify({ dependencies: { "@some/peer": "1.0.0" } }));
  if (found === undefined) return;
  await mkdir(join(folder, "node_modules/@some/peer"), { recursive: true });
  await writeFile(join(folder, "node_modules/@some/peer/package.json"), JSON.stringify({ version: found }));
}

describe("installPeers", () => {
  it("does nothing where all are there", async () => {
    await layOut("1.0.0");
    expect(await installPeers(folder, said)).toBeUndefined();
  });

  it.each([undefined, "0.9.0"])("wants version 1.0.0 where %s is found, and says why it cannot have it", async (found) => {
    await layOut(found);
    expect(await installPeers(folder, said)).toBe("the peers' packages are not installed, and CURSIVE_NO_DOWNLOAD forbids it");
  });

  it("says so where there is no manifest", async () => {
    expect(await installPeers(folder, said)).toMatch(/^the peers' packages cannot be installed: there is no /);
  });

  it("gives the reason where the installation fails", async () => {
    vi.stubEnv("CURSIVE_NO_DOWNLOAD", "");
    await layOut();
    const lines: string[] = [];
    expect(await installPeers(folder, (text) => lines.push(text))).toMatch(/^the peers' packages could not be installed: .*lock/i); // there is no lockfile
    expect(lines).toEqual([expect.stringMatching(/^installing the peers \(@some\/peer 1\.0\.0\) into /)]);
  });
});
