// The packages and their tests as modules that a browser imports: what is shared becomes a module of its own, as on a page that uses them.
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Bundles modules of the workspace. Their exports and places stay what they are: `packages/a/b.ts` becomes `packages/a/b.js`.
 *
 * @param {readonly string[]} files relative to the workspace
 * @returns {Promise<Map<string, string>>} code by path; there are more than were asked for
 * @throws when a module, or one that it imports, needs Node
 */
export async function bundle(files) {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...files],
    outbase: ".",
    outdir: "out",
    write: false,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    alias: { vitest: fileURLToPath(new URL("vitest.ts", import.meta.url)) },
    logLevel: "silent",
  });
  return new Map(outputFiles.map(({ path, text }) => [relative(`${ROOT}/out`, path), text]));
}
