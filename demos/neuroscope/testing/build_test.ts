import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildApp } from "../build.mjs";

describe("buildApp()", () => {
  it("empties no folder but an earlier build's", async () => {
    const folder = mkdtempSync(join(tmpdir(), "built-"));
    try {
      const letter = join(folder, "letter.txt");
      writeFileSync(letter, "dear");
      await expect(buildApp(folder)).rejects.toThrow("an earlier build at");
      expect(existsSync(letter)).toBe(true);
      rmSync(letter);
      await buildApp(folder);
      await buildApp(folder);
      expect(existsSync(join(folder, "main.js"))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
