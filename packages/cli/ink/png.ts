import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { initWasm, Resvg } from "@resvg/resvg-wasm";

/** Options of {@link svgToPng}. */
export interface PngOptions {
  /** Pixels the picture is wide. Default: as wide as the SVG says. */
  readonly width?: number;
  /** Colour behind the picture, as CSS has it. Default: what the SVG has, else transparent. */
  readonly background?: string;
}

/** The typeface of captions and the subsets of it that are read. Its letters are drawn to be told apart: I, l and 1, O and 0. */
const typeface = "Atkinson Hyperlegible";
const subsets = ["latin", "latin-ext"];

/**
 * Draws an SVG document as a PNG: the same bytes on every machine, since the renderer is WebAssembly and text is set in a typeface that it
 * brings along. No fonts of the system are looked at, and none need be there; characters beyond Latin come out as boxes.
 *
 * @throws Error if the text is no SVG.
 * @example
 * ```ts
 * await writeFile("word.png", await svgToPng(inkSvg(word.points, { scale: 300, background: "white" })));
 * ```
 */
export async function svgToPng(svg: string, { width, background }: PngOptions = {}): Promise<Uint8Array> {
  renderer ??= loadRenderer();
  const { fonts } = await renderer;
  const picture = new Resvg(svg, {
    font: { fontBuffers: fonts, sansSerifFamily: typeface, serifFamily: typeface, defaultFontFamily: typeface },
    ...(width !== undefined && { fitTo: { mode: "width", value: width } }),
    ...(background !== undefined && { background }),
  });
  try {
    const image = picture.render();
    try {
      return image.asPng();
    } finally {
      image.free();
    }
  } finally {
    picture.free();
  }
}

/** Made at the first picture: commands that draw none should not wait for it. */
let renderer: Promise<{ fonts: Uint8Array[] }> | undefined;

async function loadRenderer(): Promise<{ fonts: Uint8Array[] }> {
  const { resolve } = createRequire(import.meta.url);
  const fontFile = (subset: string): string =>
    resolve(`@fontsource/atkinson-hyperlegible/files/atkinson-hyperlegible-${subset}-400-normal.woff2`);
  const [program, ...fonts] = await Promise.all([
    readFile(resolve("@resvg/resvg-wasm/index_bg.wasm")),
    ...subsets.map((subset) => readFile(fontFile(subset))),
  ]);
  await initWasm(program!);
  return { fonts };
}
