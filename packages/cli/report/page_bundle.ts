import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { licenceIn, safeInElement } from "./inline.ts";

/** What every report has in it: code and looks of the page, as text of a script and a style element. */
export interface PageBundle {
  readonly script: string;
  readonly style: string;
  /** Of the chart library, which its licence asks to go with it. */
  readonly licence: string;
}

/** Which page: of training runs, or of autoencoders' runs. */
export type PageName = "main" | "autoencoders";

const bundles = new Map<PageName, Promise<PageBundle>>();

/** Bundles a page's TypeScript with the chart library, once a process. It takes some 50 ms, so nothing built has to be kept in step. */
export function pageBundle(page: PageName = "main"): Promise<PageBundle> {
  const bundle =
    bundles.get(page) ??
    build(page).catch((error) => {
      bundles.delete(page); // a process that was stopped meanwhile may be luckier next time
      throw error;
    });
  bundles.set(page, bundle);
  return bundle;
}

async function build(page: PageName): Promise<PageBundle> {
  const file = (name: string): string => fileURLToPath(new URL(`page/${name}`, import.meta.url));
  const { outputFiles } = buildSync({
    entryPoints: { script: file(`${page}.ts`), style: file("style.css") },
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none", // the licence stands in the page in full
    outdir: "out",
    logLevel: "silent",
  });
  const text = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))!.text;
  const uplot = dirname(createRequire(import.meta.url).resolve("uplot/package.json"));
  return { script: safeInElement(text("script.js")), style: safeInElement(text("style.css")), licence: await licenceIn(uplot) };
}
