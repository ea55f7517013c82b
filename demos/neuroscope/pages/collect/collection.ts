import { type ImportedFile, importWordBanks, type Point, type Word, writeWordBank } from "@cursive/cursive-model";

/** A place on the paper `[x, y]`, in canvas heights: the baseline is y = 0, y grows downwards. */
export type Place = readonly [x: number, y: number];

/** Where the pen went between touching the paper and leaving it. */
export type Stroke = readonly Place[];

/** The ink of strokes, as word banks have it: each stroke ends with its last place again, pen up. The first place is x = 0. */
export function inkOf(strokes: readonly Stroke[]): Point[] {
  const left = strokes[0]?.[0]?.[0] ?? 0;
  return strokes
    .filter((stroke) => stroke.length > 0)
    .flatMap((stroke) => {
      const points = stroke.map(([x, y]): Point => [x - left, y, 1]);
      const [x, y] = points.at(-1)!;
      return [...points, [x, y, 0] satisfies Point];
    });
}

/** Adds places to a stroke, without those that are nearer to the one before than `least`, in canvas heights. */
export function extended(stroke: Stroke, places: readonly Place[], least: number): Stroke {
  const longer = [...stroke];
  for (const place of places) {
    const last = longer.at(-1);
    if (!last || Math.hypot(place[0] - last[0], place[1] - last[1]) >= least) longer.push(place);
  }
  return longer;
}

/** A file of words, which `data import`, `data.source` and this page read. Equal words make equal files. */
export function bankOf(words: readonly Word[], format: "zip" | "json"): Uint8Array {
  return writeWordBank(words, format === "zip" ? { zipAs: "handwriting.json" } : {});
}

/** What came of reading a file into a collection. */
export interface Addition {
  /** Those that were not there before. */
  readonly words: readonly Word[];
  readonly account: ImportedFile;
}

/**
 * Reads a bank beside words that are there already: what cannot be used and what would come twice is left out, with the reason.
 *
 * @throws {WordBankError} for a file that is none.
 */
export async function readBank(bytes: Uint8Array, about: { readonly name: string; readonly present: readonly Word[] }): Promise<Addition> {
  const own = { name: "this page", bytes: bankOf(about.present, "json") };
  const { words, files } = await importWordBanks([own, { name: about.name, bytes }], { repair: true });
  return { words: words.slice(files[0]!.kept), account: files[1]! };
}
