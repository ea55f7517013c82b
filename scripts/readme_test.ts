import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("the example in README.md", () => {
  it("runs as it stands, and learns", async () => {
    const example = /```ts\n(.*?)```/s.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1];
    // Where the packages' names resolve as they do for someone who installed them.
    const parent = join(root, "node_modules", ".cache");
    mkdirSync(parent, { recursive: true });
    const folder = mkdtempSync(join(parent, "readme-"));
    try {
      writeFileSync(join(folder, "example.mts"), example ?? "");
      const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", join(folder, "example.mts")], { cwd: root });
      const losses = Array.from(stdout.matchAll(/^step \d+: loss (\S+) on /gm), (match) => Number(match[1]));
      expect(losses).toHaveLength(3);
      expect(losses[2]).toBeLessThan(0.02);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
