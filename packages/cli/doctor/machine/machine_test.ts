import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../testing/mini.ts";
import { checkDependencies } from "./dependencies.ts";
import { checkMemory } from "./memory.ts";
import { checkNode } from "./node.ts";
import { checkPackageManager } from "./package_manager.ts";
import { checkProcessor } from "./processor.ts";
import { checkProgram } from "./program.ts";

describe("checkNode()", () => {
  it.each([
    ["v20.19.0", "ok"],
    ["v20.18.3", "fail"],
    ["v18.20.8", "fail"],
    ["v22.1.0", "ok"],
    ["v26.10.0", "ok"],
  ])("calls %s %s", (version, status) => {
    const finding = checkNode({ version, platform: "linux", arch: "x64" });
    expect(finding.status).toBe(status);
    expect(finding.found).toContain(`${version} on linux x64`);
    expect(finding.fix !== undefined).toBe(status === "fail");
  });
});

describe("checkProgram()", () => {
  it("names version and commit", async () => {
    expect(await checkProgram()).toMatchObject({ status: "ok", found: expect.stringMatching(/^\d+\.\d+\.\d+(, commit [0-9a-f]{10}.*)?$/) });
  });
});

describe("checkPackageManager()", () => {
  it("reads who started the program, and warns of one that does not know workspaces of pnpm", () => {
    const check = (agent?: string) => checkPackageManager({ npm_config_user_agent: agent });
    expect(check("pnpm/10.34.8 npm/? node/v20.20.2 linux x64")).toMatchObject({ status: "ok", found: "pnpm 10.34.8" });
    expect(check("yarn/1.22.22 npm/? node/v20.20.2")).toMatchObject({ status: "warn", fix: "npx --yes pnpm@10.34.8 cli doctor" });
    expect(check()).toMatchObject({ status: "ok", data: { name: null } });
  });
});

describe("checkDependencies()", () => {
  /** A workspace whose package wants one of `installed`. */
  async function check(installed: Record<string, string>) {
    using folder = temporaryFolder();
    const own = join(folder.path, "packages", "own");
    const write = (path: string, manifest: object): void => {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, "package.json"), JSON.stringify(manifest));
    };
    write(folder.path, { devDependencies: { outer: "1.2.3", ranged: "^1.0.0" } });
    write(own, { dependencies: { inner: "4.5.6", "@cursive/tensor": "workspace:*" } });
    for (const [name, version] of Object.entries(installed)) {
      write(join(name === "inner" ? own : folder.path, "node_modules", name), { version });
    }
    return await checkDependencies(folder.path); // the folder is gone at the end of the scope
  }

  it("is content with what the manifests pin, and lets ranges and the workspace's own be", async () => {
    expect(await check({ outer: "1.2.3", inner: "4.5.6" })).toMatchObject({ status: "ok", found: "2 packages, as pinned" });
  });

  it("warns of other versions and fails without, with the command that installs", async () => {
    const fix = "npx --yes pnpm@10.34.8 install";
    expect(await check({ outer: "1.2.2", inner: "4.5.6" })).toMatchObject({ status: "warn", found: "outer 1.2.2 (pinned 1.2.3)", fix });
    expect(await check({ outer: "1.2.3" })).toMatchObject({ status: "fail", found: "inner is missing (pinned 4.5.6)", fix });
  });

  it("warns where only tools for working on the repository are missing", async () => {
    expect(await check({ inner: "4.5.6" })).toMatchObject({
      status: "warn",
      found: "outer is missing (pinned 1.2.3)",
      fix: expect.any(String),
    });
  });

  it("is content with this workspace", async () => {
    expect((await checkDependencies()).status).toBe("ok");
  });
});

describe("checkMemory() and checkProcessor()", () => {
  it("warn where little memory is free", () => {
    expect(checkMemory({ total: 8e9, available: 4e9 })).toMatchObject({ status: "ok", found: "8.00 GB, 4.00 GB free" });
    expect(checkMemory({ total: 2e9, available: 0.3e9 })).toMatchObject({ status: "warn", fix: expect.stringContaining("batchSize") });
    expect(checkMemory().status).toMatch(/ok|warn/);
  });

  it("warn where others are at work", () => {
    const about = { model: "Some  CPU ", cores: 2 };
    expect(checkProcessor({ ...about, load: 2.2 })).toMatchObject({ status: "ok", found: "2 × Some CPU, load 2.2" });
    expect(checkProcessor({ ...about, load: 5 })).toMatchObject({ status: "warn", found: expect.stringContaining("too long") });
  });
});
