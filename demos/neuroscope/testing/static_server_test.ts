import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { policyOf, serveFolder } from "../static_server.mjs";

const page = fileURLToPath(new URL("..", import.meta.url));

describe("serveFolder()", () => {
  it("sends the page's policy with what workers are made of, and with pages none, as they state their own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "served-"));
    for (const name of ["worker.js", "index.html"]) writeFileSync(join(folder, name), "");
    const policy = policyOf(page);
    expect(policy).toMatch(/^default-src 'none'; .*connect-src 'self'/);
    const { url, close } = await serveFolder(folder, { policy });
    try {
      const sent = async (name: string): Promise<string | null> => (await fetch(url + name)).headers.get("content-security-policy");
      expect([await sent("worker.js"), await sent("index.html")]).toEqual([policy, null]);
    } finally {
      await close();
      rmSync(folder, { recursive: true });
    }
  });
});
