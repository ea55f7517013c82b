// Which test files can run where there is nothing but ECMAScript and WebGPU.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The packages for Node alone. */
const FOR_NODE = new Set(["cli"]);

/**
 * What a test file wants that only Node, or vitest itself, has.
 *
 * @param {string} source
 * @returns {string | undefined} `node:fs`, or `vi.stubEnv`
 */
export function needOf(source) {
  const [, module] = /^(?:import|export)\b[^;]*?\bfrom "(node:[^"]+)"/m.exec(source) ?? [];
  // `vitest.ts` has these three.
  return module ?? /^(?!\s*\/\/).*\b(vi\.(?!(?:fn|restoreAllMocks|spyOn)\b)\w+)/m.exec(source)?.[1];
}

/**
 * The test files of the packages that run anywhere, and of those the ones that need Node.
 *
 * @param {readonly string[]} filters parts of paths, any of which a file must contain; none: all files
 * @returns {{ files: string[], forNode: { file: string, need: string }[] }} paths relative to the workspace
 */
export function portableTests(filters) {
  const packages = readdirSync(join(ROOT, "packages")).filter((name) => !FOR_NODE.has(name));
  const all = packages
    .flatMap((name) => testsIn(join(ROOT, "packages", name)))
    .map((path) => relative(ROOT, path).replaceAll(sep, "/"))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
  /** @type {string[]} */
  const files = [];
  const forNode = [];
  for (const file of all) {
    const need = needOf(readFileSync(join(ROOT, file), "utf8"));
    if (need) forNode.push({ file, need });
    else files.push(file);
  }
  return { files, forNode };
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function testsIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : testsIn(join(folder, entry.name));
    return entry.name.endsWith("_test.ts") ? [join(folder, entry.name)] : [];
  });
}
