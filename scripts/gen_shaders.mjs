// Writes packages/tensor/shaders.gen.ts from shaders/*.wgsl, one key a file. A line `//#include NAME` becomes shaders/parts/NAME.wgsl.
//
//   node scripts/gen_shaders.mjs           writes the file when it is stale
//   node scripts/gen_shaders.mjs --check   writes nothing; exits with 1 when it is stale
//
// WGSL is imported through a generated module because no import of text works everywhere: Node, Deno, Bun, Vite and the published packages
// each want another spelling, and all of them read a string in TypeScript.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const SOURCE = join(root, "shaders");
const TARGET = join(root, "packages", "tensor", "shaders.gen.ts");

/**
 * Spells any text as a template literal. Line ends become `\n`, so that a checkout with CRLF makes the same module.
 *
 * @param {string} text
 * @returns {string}
 */
export function templateLiteral(text) {
  const escaped = text.replaceAll("\r\n", "\n").replaceAll("\\", "\\\\").replaceAll("`", "\\`").replaceAll("${", "\\${");
  return `\`${escaped}\``;
}

/**
 * The source of the generated module.
 *
 * @param {ReadonlyMap<string, string>} sources WGSL by name
 * @returns {string}
 */
export function shaderModule(sources) {
  const names = [...sources.keys()].sort();
  for (const name of names) {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`Expected a shader's name in snake_case but found "${name}.wgsl"`);
  }
  return [
    "// Generated from shaders/*.wgsl by scripts/gen_shaders.mjs; edit the WGSL and run `pnpm shaders`.",
    "",
    "/** The WGSL source of every kernel family, by the name of its file. */",
    "export const shaders = {",
    ...names.map((name) => `  ${name}: ${templateLiteral(sources.get(name) ?? "")},`),
    "} as const;",
    "",
    "/** The name of a file in `shaders/`, without its ending. */",
    "export type ShaderName = keyof typeof shaders;",
    "",
  ].join("\n");
}

/**
 * Brings the generated module up to date.
 *
 * @param {string} [source] the folder of WGSL files
 * @param {string} [target] the module to write
 * @param {{ check?: boolean }} [options] `check`: only look
 * @returns {boolean} whether the module was up to date already
 */
export function generateShaders(source = SOURCE, target = TARGET, { check = false } = {}) {
  const sources = new Map(
    list(source)
      .filter((file) => file.endsWith(".wgsl"))
      .map((file) => [basename(file, ".wgsl"), withParts(readFileSync(join(source, file), "utf8"), join(source, "parts"))]),
  );
  const text = shaderModule(sources);
  if (read(target)?.replaceAll("\r\n", "\n") === text) return true;
  if (check) return false;
  mkdirSync(dirname(target), { recursive: true });
  // Another test run may be importing the module right now: it must see the old text or the new one, never half of one.
  const temporary = `${target}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, target);
  return false;
}

/**
 * Puts in what a shader includes.
 *
 * @param {string} text
 * @param {string} folder
 * @returns {string}
 */
function withParts(text, folder) {
  return text.replace(/^\/\/#include (.*)$/gm, (line, /** @type {string} */ name) => {
    const part = read(join(folder, `${name}.wgsl`));
    if (part === undefined) throw new Error(`Expected shaders/parts/${name}.wgsl for "${line}" but found no such file`);
    return part.trimEnd();
  });
}

/** @param {string} folder */
function list(folder) {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** @param {unknown} error */
function isMissing(error) {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes("--check");
  const fresh = generateShaders(SOURCE, TARGET, { check });
  const name = relative(root, TARGET);
  if (check && !fresh) {
    console.error(`${name} is stale: run \`pnpm shaders\` and commit it.`);
    process.exitCode = 1;
  } else if (!fresh) {
    console.log(`wrote ${name}`);
  }
}
