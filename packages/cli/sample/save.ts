import { mkdir } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import { type InkSheetOptions, inkSheet, inkSvg } from "@cursive/cursive-model";
import { oneLine, UsageError } from "../errors.ts";
import { svgToPng } from "../ink/png.ts";
import { writeWhole } from "../run/files.ts";
import type { WriteSettings, Writing } from "./write_texts.ts";

/** What ink can be saved as. */
export const inkFormats = ["svg", "png", "json"] as const;
export type InkFormat = (typeof inkFormats)[number];

/** What files are made. */
export type Layout = "both" | "files" | "sheet";

/** Where files go. */
export interface Target {
  /** A folder, or one file for all. */
  readonly path: string;
  readonly isFile: boolean;
  readonly formats: readonly InkFormat[];
}

/** How ink was written. */
export interface InkSettings extends WriteSettings {
  /** The text that it goes on from. */
  readonly warmUp: string | null;
}

/** What pictures and JSON say about where the ink comes from. */
export interface Provenance {
  readonly model: { readonly run: string | null; readonly checkpoint: string; readonly step: number };
  readonly settings: InkSettings;
}

/** How files are made. */
export interface SaveOptions extends Provenance {
  readonly layout: Layout;
  /** Pixels a canvas height. */
  readonly scale: number;
}

/** A file, and the writings in it by their places. */
export interface SavedFile {
  readonly path: string;
  readonly writings: readonly number[];
}

/**
 * Where ink is to be saved: a path with the ending of a format is one file for all, any other a folder, which is made here, so that what cannot
 * be written is known before anything is.
 *
 * @throws UsageError if it cannot be, or formats contradict the ending.
 */
export async function chooseTarget(out: string, formats: readonly InkFormat[] | undefined): Promise<Target> {
  const ending = extname(out).slice(1).toLowerCase() as InkFormat;
  const isFile = inkFormats.includes(ending);
  if (isFile && formats && (formats.length > 1 || formats[0] !== ending))
    throw new UsageError(`Expected --format ${ending} for the file ${out} but found ${formats.join(",")}; a folder takes several`);
  const path = resolve(out);
  const folder = isFile ? join(path, "..") : path;
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new UsageError(`Expected a folder that can be written at ${folder} but found: ${oneLine(error)}`);
  }
  return { path, isFile, formats: isFile ? [ending] : (formats ?? ["svg", "png"]) };
}

/** Saves ink, each file whole or not at all; files of the same name are replaced. */
export async function saveWritings(writings: readonly Writing[], target: Target, options: SaveOptions): Promise<SavedFile[]> {
  const saved: SavedFile[] = [];
  const save = async (stem: string, places: readonly number[]): Promise<void> => {
    const chosen = places.map((place) => writings[place]!);
    for (const format of target.formats) {
      const path = target.isFile ? target.path : `${stem}.${format}`;
      await writeWhole(path, await encode(chosen, format, options));
      saved.push({ path, writings: places });
    }
  };
  const all = writings.map((_, place) => place);
  if (target.isFile) {
    await save("", all);
    return saved;
  }
  const stems = fileStems(writings.map(({ written }) => written));
  const wantsSheet = options.layout === "sheet" || (options.layout === "both" && writings.length > 1);
  if (options.layout !== "sheet") for (const place of all) await save(join(target.path, stems[place]!), [place]);
  if (wantsSheet && writings.length > 0) await save(join(target.path, "sheet"), all);
  return saved;
}

/** Names for files after texts, all different even where case does not count. `sheet` is taken. */
export function fileStems(texts: readonly string[]): string[] {
  const taken = new Set(["sheet"]);
  return texts.map((text) => {
    const plain = text.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 40) || "ink"; // biome-ignore format: one thing
    let stem = plain;
    for (let copy = 2; taken.has(stem.toLowerCase()); copy++) stem = `${plain}-${copy}`;
    taken.add(stem.toLowerCase());
    return stem;
  });
}

async function encode(writings: readonly Writing[], format: InkFormat, options: SaveOptions): Promise<string | Uint8Array> {
  if (format === "json") return inkJson(writings, options);
  const svg = picture(writings, options);
  return format === "svg" ? svg : svgToPng(svg);
}

/** One writing by itself, more of them on a sheet. */
function picture(writings: readonly Writing[], { scale, model, settings }: SaveOptions): string {
  const about: InkSheetOptions = {
    scale,
    background: "white",
    smooth: true,
    title: [...new Set(writings.map(({ text }) => text))].join(", "),
    description: `Written by ${model.run ?? model.checkpoint}, step ${model.step}: ${JSON.stringify(settings)}`,
  };
  const [only] = writings;
  if (only && writings.length === 1) return inkSvg(only.segments, about);
  const items = writings.map(({ segments, text, ended }) => ({ ink: segments, caption: ended ? text : `${text} (never ended)` }));
  const samples = Math.max(0, ...writings.map(({ sample }) => sample));
  return inkSheet(items, { ...about, ...(samples > 1 && samples <= 8 && { columns: samples }) });
}

function inkJson(writings: readonly Writing[], { model, settings }: Provenance): string {
  const each = writings.map(({ text, written, sample, ended, tokens, segments }) => ({
    ...{ text, written, sample, ended },
    tokens: [...tokens],
    points: segments.filter(({ malformed }) => !malformed).map(({ to, pen }) => [...to.map(rounded), pen]),
    segments: segments.map((segment) => ({ ...segment, from: segment.from.map(rounded), to: segment.to.map(rounded) })),
  }));
  return `${JSON.stringify({ format: "cursive-ink", model, settings, writings: each })}\n`;
}

/** Six decimals of a canvas height: finer than any tokenizer. */
function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
