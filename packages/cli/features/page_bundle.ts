import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync, type Metafile } from "esbuild";
import { Html, html } from "../report/html.ts";
import { licenceIn, safeInElement } from "../report/inline.ts";

let page: Promise<string> | undefined;

/**
 * The page that shows features, as the text of an `index.html` beside a folder `data`: its code, looks and letters in one file, which asks
 * nothing of a network, and the licences of what others made of it. Bundled once a process, so nothing built has to be kept in step.
 *
 * @example
 * ```ts
 * await writeFile(join(folder, "index.html"), await featurePage());
 * ```
 */
export function featurePage(): Promise<string> {
  page ??= build().catch((error) => {
    page = undefined; // a process that was stopped meanwhile may be luckier next time
    throw error;
  });
  return page;
}

async function build(): Promise<string> {
  const file = (name: string): string => fileURLToPath(new URL(`page/${name}`, import.meta.url));
  const { outputFiles, metafile } = buildSync({
    entryPoints: { script: file("main.tsx"), style: file("style.css") },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "iife",
    target: "es2022",
    charset: "utf8",
    jsx: "automatic",
    jsxImportSource: "preact",
    loader: { ".woff2": "dataurl" },
    legalComments: "none", // the licences stand in the page in full
    outdir: "out",
    logLevel: "silent",
  });
  const text = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))!.text;
  const script = new Html(safeInElement(text("script.js")));
  const style = new Html(safeInElement(text("style.css")));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="color-scheme" content="light dark">
<title>Features</title>
<style>${style}</style>
</head>
<body>
<div id="features"><noscript>These pages draw with JavaScript; the numbers are in the folder data, a JSON text in each file.</noscript></div>
<script>${script}</script>
<template id="licences">
${await licencesOf(metafile)}
</template>
</body>
</html>
`.text;
}

/** Scripts of the folder, and nothing from elsewhere. */
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline' 'self' file:; style-src 'unsafe-inline'; font-src data:; img-src data: blob:; base-uri 'none'; form-action 'none'";

/** The licences of all packages of which something was bundled, each text once. */
async function licencesOf({ inputs, outputs }: Metafile): Promise<string> {
  const code = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const paths = code.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
  const fonts = Object.keys(inputs).filter((path) => path.endsWith(".woff2")); // counted as the style sheet's
  const folders = new Set(
    [...paths, ...fonts].flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path.replaceAll("\\", "/"))?.[1] ?? []),
  );
  const names = new Map<string, string[]>();
  for (const folder of [...folders].sort()) {
    const licence = await licenceIn(resolve(folder));
    const name = basename(dirname(folder)).startsWith("@") ? `${basename(dirname(folder))}/${basename(folder)}` : basename(folder);
    names.set(licence, [...(names.get(licence) ?? []), name]);
  }
  return [...names].map(([licence, of]) => `${of.join(", ")}\n\n${licence}`).join("\n\n---\n\n");
}
