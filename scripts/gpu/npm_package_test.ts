import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UnreachableError, unpackPackage } from "./npm_package.mjs";

describe("unpackPackage", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "npm-package-"));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it("puts the files that are asked for at their paths, and nothing else", async () => {
    const source = join(folder, "source");
    mkdirSync(join(source, "bin"), { recursive: true });
    writeFileSync(join(source, "package.json"), JSON.stringify({ name: "small", version: "1.0.0" }));
    for (const name of ["one", "two"]) writeFileSync(join(source, "bin", name), name);
    const target = join(folder, "target");
    await unpackPackage(source, target, { files: ["bin/two"] });
    expect(readFileSync(join(target, "bin", "two"), "utf8")).toBe("two");
    expect(readdirSync(target)).toEqual(["bin"]);
    expect(existsSync(join(target, "bin", "one"))).toBe(false);
  });

  it("tells a registry that does not answer from one that lacks the package", async () => {
    const server = createServer((_, response) => response.writeHead(404).end("{}")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    vi.stubEnv("npm_config_registry", registry);
    const fetch = (): Promise<void> => unpackPackage("cursive-no-such-package@1.0.0", folder, { files: ["x"] });
    await expect(fetch()).rejects.toThrow("Expected npm to fetch cursive-no-such-package@1.0.0 but found: npm error code E404");
    await new Promise((resolve) => server.close(resolve));
    await expect(fetch()).rejects.toThrow(new UnreachableError("the npm registry does not answer (ECONNREFUSED)"));
  });
});
