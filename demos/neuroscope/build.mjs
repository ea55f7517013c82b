// Builds the app into a folder of static files that any file server serves: `pnpm demo:build`, or `node demos/neuroscope/build.mjs [FOLDER]`.
// It prints what the page weighs, compressed as servers send it, without the model.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { context } from "esbuild";
import { buildExamples } from "./examples/build_examples.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Bytes that the page may load before it works, compressed, without weights. */
export const PAGE_BUDGET = 300_000;

/** Files beside the code that belong to the app. */
const STATIC = ["index.html", "icon.svg", "assets"];

/**
 * Leaves the comments of the WGSL out, a third of it compressed. What directs its templates stays: `//#` and `//|`.
 *
 * @type {import("esbuild").Plugin}
 */
const leanShaders = {
  name: "lean-shaders",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\bshaders\.gen\.ts$/ }, ({ path }) => {
      const lines = readFileSync(path, "utf8").split("\n");
      const kept = lines.filter((line) => !/^\s*\/\/(?![#|])/.test(line)).map((line) => line.replace(/\s+\/\/(?![#|]).*$/, ""));
      return { contents: kept.join("\n"), loader: "ts" };
    }),
};

/**
 * Builds the app, and builds it again when its code changes if it is asked to watch.
 *
 * @param {string} folder is emptied; one that holds something else than a build is refused
 * @param {{ watch?: boolean, onBuilt?: () => void }} [options]
 * @returns {Promise<() => Promise<void>>} ends the watching
 */
export async function buildApp(folder, { watch = false, onBuilt } = {}) {
  checkReplaceable(folder);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const workers = readdirSync(join(HERE, "engine")).filter((name) => /(^|_)worker\.ts$/.test(name));
  const build = await context({
    absWorkingDir: HERE,
    entryPoints: [
      { in: "main.tsx", out: "main" },
      { in: "app/style.css", out: "style" },
      ...workers.map((name) => ({ in: `engine/${name}`, out: basename(name, ".ts") })),
    ],
    outdir: folder,
    bundle: true,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    assetNames: "fonts/[name]-[hash]",
    loader: { ".woff2": "file" },
    format: "esm",
    platform: "browser",
    target: ["es2023", "chrome123", "firefox121", "safari17.5"],
    // The packages may have copies of their own beside ours, and hooks want the one that renders.
    alias: { preact: "preact", "@preact/signals": "@preact/signals" },
    jsx: "automatic",
    jsxImportSource: "preact",
    minify: !watch,
    sourcemap: watch ? "linked" : false,
    legalComments: "none", // the licences stand in licences.txt in full
    metafile: true,
    logLevel: "warning",
    plugins: [
      leanShaders,
      { name: "report", setup: ({ onEnd }) => onEnd(({ errors }) => (errors.length === 0 ? onBuilt?.() : undefined)) },
    ],
  });
  for (const name of STATIC) cpSync(join(HERE, name), join(folder, name), { recursive: true });
  const { metafile } = await build.rebuild();
  await buildExamples(join(folder, "examples"));
  writeFileSync(join(folder, "licences.txt"), licencesOf(metafile));
  if (watch) await build.watch();
  else await build.dispose();
  return () => build.dispose();
}

/**
 * A build writes these; a folder without them is somebody's.
 *
 * @param {string} folder
 */
function checkReplaceable(folder) {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const isBuilt =
    ["index.html", "assets"].every((name) => names.includes(name)) && names.some((name) => /^(main\.js|licences\.txt)$/.test(name));
  if (names.length > 0 && !isBuilt)
    throw new Error(
      `Expected no folder, an empty one or an earlier build at ${folder} but found ${names.slice(0, 3).join(", ")}: it would be emptied`,
    );
}

/**
 * The licences of all packages of which something was bundled, each text once.
 *
 * @param {import("esbuild").Metafile} metafile
 */
function licencesOf({ inputs }) {
  const folders = new Set(Object.keys(inputs).flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
  /** @type {Map<string, string[]>} */
  const names = new Map();
  for (const folder of [...folders].sort()) {
    const path = join(HERE, folder);
    const file = readdirSync(path).find((name) => /^licen[cs]e/i.test(name));
    if (file === undefined) throw new Error(`Expected a licence in ${path} but found none`);
    const text = readFileSync(join(path, file), "utf8").trim();
    const [, name = folder] = /node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(folder) ?? [];
    names.set(text, [...(names.get(text) ?? []), name]);
  }
  return `${[...names].map(([text, of]) => `${[...new Set(of)].join(", ")}\n\n${text}`).join("\n\n---\n\n")}\n`;
}

/**
 * The bytes of the app's code, styles and fonts as a server sends them: compressed, but for what is compressed already.
 *
 * @param {string} folder
 * @returns {{ file: string, bytes: number, first: boolean }[]} the largest first; `first` is what the page loads before anything is chosen on it
 */
export function pageWeight(folder) {
  const first = firstFiles(folder);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(html|js|css|svg|woff2)$/.test(file) && !/^(assets|examples)\b/.test(file))
    .map((file) => {
      const content = readFileSync(join(folder, file));
      const bytes = file.endsWith(".woff2") ? content.length : gzipSync(content, { level: 9 }).length;
      return { file, bytes, first: !file.endsWith(".js") || first.has(file) };
    })
    .sort((a, b) => b.bytes - a.bytes);
}

/**
 * The modules that the page, its worker and the first page's own code need before they run.
 *
 * @param {string} folder
 */
function firstFiles(folder) {
  const main = readFileSync(join(folder, "main.js"), "utf8");
  const [, firstPage] = /import\("\.\/([^"]*write_page[^"]*)"\)/.exec(main) ?? [];
  if (firstPage === undefined) throw new Error("Expected main.js to import the first page but found no such import");
  const files = ["main.js", "worker.js", firstPage];
  for (const file of files) {
    const code = readFileSync(join(folder, file), "utf8");
    for (const [, path] of code.matchAll(/(?:import|export)(?:[\w*{}$,\s]*\bfrom|[\w*{}$,\s]*})?\s*"(\.[^"]+)"/g)) {
      const found = join(dirname(file), /** @type {string} */ (path));
      if (!files.includes(found)) files.push(found);
    }
  }
  return new Set(files);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? join(HERE, "dist"));
  await buildApp(folder);
  const files = pageWeight(folder);
  const sum = (/** @type {typeof files} */ some) => some.reduce((total, { bytes }) => total + bytes, 0);
  const kilobytes = (/** @type {number} */ bytes) => `${String(Math.ceil(bytes / 1000)).padStart(6)} kB`;
  for (const { file, bytes, first } of files) console.log(`${kilobytes(bytes)}  ${first ? " " : "+"} ${file}`);
  const first = sum(files.filter((file) => file.first));
  console.log(
    `${kilobytes(first)}  compressed, of ${PAGE_BUDGET / 1000} kB, for the page; ${kilobytes(sum(files)).trim()} with what other pages add (+)`,
  );
  console.log(`           in ${folder}`);
  if (first > PAGE_BUDGET) process.exitCode = 1;
}
