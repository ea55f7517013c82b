// The packages as modules that a plain page imports by an import map, and the examples that do so.
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PACKAGES = ["tensor", "cursive-model", "sae"];

/**
 * Puts the examples into a folder, and the packages as `lib/NAME.js` beside them; what they share is loaded once.
 *
 * @param {string} folder
 */
export async function buildExamples(folder) {
  await build({
    absWorkingDir: HERE,
    entryPoints: PACKAGES.map((name) => ({ in: `../../../packages/${name}/mod.ts`, out: name })),
    outdir: join(folder, "lib"),
    bundle: true,
    splitting: true,
    chunkNames: "shared-[hash]",
    format: "esm",
    platform: "browser",
    target: "es2023",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
  });
  for (const name of readdirSync(HERE)) if (name.endsWith(".html")) cpSync(join(HERE, name), join(folder, name));
}
