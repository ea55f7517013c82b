import { type InkSegment, inkSvg } from "@cursive/cursive-model";
import type { ModelFacts } from "../../engine/model_file.ts";
import type { InkWord } from "./write_session.ts";
import type { WriteSettings } from "./write_settings.ts";

/** What a file of the writing is made of. */
export interface Export {
  readonly words: readonly InkWord[];
  /** All words' ink in its place on the paper. */
  readonly ink: readonly InkSegment[];
  readonly settings: WriteSettings;
  readonly model: ModelFacts;
}

/** Pixels a canvas height in pictures. */
const SCALE = 480;
const SMALL_LETTERS = /[^\p{L}\p{N}]+/gu;

/** The writing as an SVG document, black on nothing. */
export function exportSvg({ ink, words, settings, model }: Export): string {
  return inkSvg(ink, {
    ...{ strokeWidth: settings.width / 1000, stroke: "#17202e", smooth: settings.smooth, scale: SCALE },
    title: words.map(({ text }) => text).join(" "),
    description: `Written by ${model.name}, step ${model.step}: ${JSON.stringify(plainSettings(settings))}`,
  });
}

/** The writing as a picture on white. */
export async function exportPng(source: Export): Promise<Blob> {
  const image = new Image();
  const address = URL.createObjectURL(new Blob([exportSvg(source)], { type: "image/svg+xml" }));
  try {
    image.src = address;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d")!;
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0);
    return await canvas.convertToBlob({ type: "image/png" });
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Tokens, points and movements of each word, in the form that `pnpm cli sample` writes them. */
export function exportJson({ words, settings, model }: Export): string {
  const writings = words.map(({ text, ended, tokens, segments }) => ({
    ...{ text, written: text, sample: 1, ended },
    tokens: [...tokens],
    points: segments.filter(({ malformed }) => !malformed).map(({ to, pen }) => [...to.map(rounded), pen]),
    segments: segments.map((segment) => ({ ...segment, from: segment.from.map(rounded), to: segment.to.map(rounded) })),
  }));
  const about = { run: model.name, checkpoint: model.file, step: model.step };
  return `${JSON.stringify({ format: "cursive-ink", model: about, settings: plainSettings(settings), writings })}\n`;
}

/** A file's name after the text. */
export function exportName(words: readonly InkWord[], ending: string): string {
  const stem = words
    .map(({ text }) => text)
    .join(" ")
    .replace(SMALL_LETTERS, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 40);
  return `${stem || "ink"}.${ending}`;
}

/** Hands a file to the reader. */
export function download(content: string | Blob, name: string): void {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content]));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function plainSettings({ again, ...settings }: WriteSettings): object {
  return { ...settings, again: Object.fromEntries(again) };
}

/** Six decimals of a canvas height: finer than any tokenizer. */
function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
