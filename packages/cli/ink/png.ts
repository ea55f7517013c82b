import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { initWasm, Resvg, type ResvgRenderOptions } from "@resvg/resvg-wasm";

/** Options of {@link svgToPng}. */
export interface PngOptions {
  /** Pixels the picture is wide. Default: as wide as the SVG says, or less where that would make more than 20 million pixels. */
  readonly width?: number;
  /** Colour behind the picture, as CSS has it. Default: what the SVG has, else transparent. */
  readonly background?: string;
}

/** A sheet of thousands should not take gigabytes. */
const MOST_PIXELS = 2e7;

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
  const options: ResvgRenderOptions = {
    font: { fontBuffers: fonts, sansSerifFamily: typeface, serifFamily: typeface, defaultFontFamily: typeface },
    ...(background !== undefined && { background }),
  };
  const drawn = (wide: number | undefined): Uint8Array => {
    const picture = new Resvg(svg, wide === undefined ? options : { ...options, fitTo: { mode: "width", value: wide } });
    try {
      const fits = wide !== undefined || picture.width * picture.height <= MOST_PIXELS;
      return fits ? pngOf(picture) : drawn(Math.floor(picture.width * Math.sqrt(MOST_PIXELS / (picture.width * picture.height))));
    } finally {
      picture.free();
    }
  };
  return drawn(width);
}

function pngOf(picture: InstanceType<typeof Resvg>): Uint8Array {
  const image = picture.render();
  try {
    return image.asPng();
  } finally {
    image.free();
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
