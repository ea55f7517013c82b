import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findChromium } from "./chromium.mjs";
import { findDeno } from "./deno.mjs";
import { findNode } from "./node_versions.mjs";
import { UnavailableError } from "./tool.mjs";

describe.runIf(process.platform === "linux")("what is installed", () => {
  let root: string;
  const download = false;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "find-"));
    vi.stubEnv("XDG_CACHE_HOME", root);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true });
  });

  /** A program that prints a line, and fails if there is none. */
  const program = (name: string, line?: string): string => {
    const path = join(root, name);
    writeFileSync(path, line ? `#!/bin/sh\necho '${line}'\n` : "#!/bin/sh\necho 'Please install the snap' >&2\nexit 1\n", { mode: 0o755 });
    return path;
  };
  const env = (): NodeJS.ProcessEnv => ({ PATH: ["/nonexistent", root].join(delimiter) });

  it("is a browser only if it says so: distributions put advice in its place", async () => {
    program("chromium");
    await expect(findChromium(env(), { download })).rejects.toThrow(UnavailableError);
    const chrome = program("google-chrome", "Google Chrome 147.0.7727.0 ");
    expect(await findChromium(env(), { download })).toBe(chrome);
    const chromium = program("chromium", "Chromium 156.0.1.2 built on Debian");
    expect(await findChromium(env(), { download })).toBe(chromium);
  });

  it("is the browser that CURSIVE_CHROMIUM names, which must be there", async () => {
    program("chromium", "Chromium 156.0.1.2");
    const other = program("other");
    expect(await findChromium({ ...env(), CURSIVE_CHROMIUM: other }, { download })).toBe(other);
    const missing = findChromium({ ...env(), CURSIVE_CHROMIUM: "/nonexistent" }, { download });
    await expect(missing).rejects.toThrow("Expected a browser at CURSIVE_CHROMIUM but found none: /nonexistent");
  });

  it("is a Deno from version 2 on", async () => {
    const deno = program("deno", "deno 1.46.3 (stable, release, x86_64-unknown-linux-gnu)");
    await expect(findDeno(env(), { download })).rejects.toThrow(UnavailableError);
    program("deno", "deno 2.9.6 (stable, release, x86_64-unknown-linux-gnu)");
    expect(await findDeno(env(), { download })).toBe(deno);
  });

  it("is this Node for its own version, and no other", async () => {
    const own = Number.parseInt(process.versions.node, 10);
    expect(await findNode(own, { download })).toBe(process.execPath);
    await expect(findNode(own === 24 ? 22 : 24, { download })).rejects.toThrow(UnavailableError);
  });
});
