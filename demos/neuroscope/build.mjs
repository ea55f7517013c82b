// Builds the app into a folder of static files that any file server serves: `pnpm demo:build`, or `node demos/neuroscope/build.mjs [FOLDER]`.
// What it prints last is the page's weight, compressed as servers send it, without the model.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { context } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Bytes that the page may have, compressed, without weights. */
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
 * @param {string} folder is emptied
 * @param {{ watch?: boolean, onBuilt?: () => void }} [options]
 * @returns {Promise<() => Promise<void>>} ends the watching
 */
export async function buildApp(folder, { watch = false, onBuilt } = {}) {
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
    legalComments: "none",
    logLevel: "warning",
    plugins: [
      leanShaders,
      { name: "report", setup: ({ onEnd }) => onEnd(({ errors }) => (errors.length === 0 ? onBuilt?.() : undefined)) },
    ],
  });
  for (const name of STATIC) cpSync(join(HERE, name), join(folder, name), { recursive: true });
  await build.rebuild();
  if (watch) await build.watch();
  else await build.dispose();
  return () => build.dispose();
}

/**
 * The bytes of the page's code, styles and fonts as a server sends them: compressed, but for what is compressed already.
 *
 * @param {string} folder
 * @returns {{ file: string, bytes: number }[]} the largest first
 */
export function pageWeight(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(html|js|css|svg|woff2)$/.test(file) && !/^(assets|examples)\b/.test(file))
    .map((file) => {
      const content = readFileSync(join(folder, file));
      return { file, bytes: file.endsWith(".woff2") ? content.length : gzipSync(content, { level: 9 }).length };
    })
    .sort((a, b) => b.bytes - a.bytes);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? join(HERE, "dist"));
  await buildApp(folder);
  const files = pageWeight(folder);
  for (const { file, bytes } of files) console.log(`${String(Math.ceil(bytes / 1000)).padStart(6)} kB  ${file}`);
  const whole = files.reduce((sum, { bytes }) => sum + bytes, 0);
  console.log(`${String(Math.ceil(whole / 1000)).padStart(6)} kB  in all, compressed, of ${PAGE_BUDGET / 1000} kB; in ${folder}`);
  if (whole > PAGE_BUDGET) process.exitCode = 1;
}
