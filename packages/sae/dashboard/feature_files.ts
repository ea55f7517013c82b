import type { CorpusSequence, FeatureOverview, FeaturePage, FeatureSource } from "./feature_pages.ts";

/**
 * Files of feature pages, in a folder `data`. Each is a script that makes one call, as pages opened from disk may run scripts but not fetch:
 *
 *     cursiveFeatures("feature-00018",
 *     {"index":18,…}
 *     );
 *
 * The second line is JSON, so programs read it without running anything: {@link parseFeatureFile}.
 */
export const featureFiles = {
  overview: "overview.js",
  page: (index: number): string => `feature-${String(index).padStart(5, "0")}.js`,
  /** The file that a sequence is in, a list of {@link sequencesPerFile}. */
  sequences: (number: number): string => `sequences-${String(Math.floor(number / sequencesPerFile)).padStart(3, "0")}.js`,
} as const;

/** Sequences of a file. */
export const sequencesPerFile = 64;

/** The function that files call, with their name without its end and what is in them. Whoever loads scripts defines it on `globalThis`. */
export const featureCallback = "cursiveFeatures";

/** Significant digits that are kept of numbers that are not whole. */
const DIGITS = 5;

/** A file's text. Numbers that are not whole keep five digits. @throws RangeError for a number that is not finite. */
export function formatFeatureFile(file: string, value: unknown): string {
  const json = JSON.stringify(value, (key, item: unknown) => {
    if (typeof item !== "number" || Number.isInteger(item)) return item;
    if (!Number.isFinite(item)) throw new RangeError(`Expected finite numbers but found ${item} at '${key}' of ${file}`);
    return Number(item.toPrecision(DIGITS));
  });
  return `${featureCallback}(${JSON.stringify(nameOf(file))},\n${json}\n);\n`;
}

/** What a file holds. @throws SyntaxError for a text that is no such file. */
export function parseFeatureFile(text: string): { readonly name: string; readonly value: unknown } {
  const [call = "", json = "", end] = text.split("\n");
  const name = new RegExp(`^${featureCallback}\\("([\\w-]+)",$`).exec(call)?.[1];
  if (name === undefined || end !== ");") throw new SyntaxError(`Expected a call of ${featureCallback} but found ${call.slice(0, 60)}`);
  return { name, value: JSON.parse(json) as unknown };
}

/**
 * Feature pages out of files. The overview and sequences that were loaded are kept, pages are not.
 *
 * @param load - Gives what a file holds.
 * @example
 * ```ts
 * const source = featureFileSource(async (file) => parseFeatureFile(await (await fetch(`features/data/${file}`)).text()).value);
 * const { features } = await source.overview();
 * ```
 */
export function featureFileSource(load: (file: string) => Promise<unknown>): FeatureSource {
  const kept = new Map<string, Promise<unknown>>();
  const keep = (file: string): Promise<unknown> => {
    let found = kept.get(file);
    if (!found) {
      found = load(file);
      kept.set(file, found);
      found.catch(() => kept.delete(file)); // a failed one may be asked for again
    }
    return found;
  };
  return {
    overview: async () => checkedOverview(await keep(featureFiles.overview)),
    page: async (index) => (await load(featureFiles.page(index))) as FeaturePage,
    sequence: async (number) => {
      const found = ((await keep(featureFiles.sequences(number))) as readonly CorpusSequence[])[number % sequencesPerFile];
      if (!found) throw new RangeError(`Expected a sequence of the corpus but found ${number}`);
      return found;
    },
  };
}

/** @throws RangeError for something else than an overview, or one of another version. */
function checkedOverview(value: unknown): FeatureOverview {
  const { format, version } = (value ?? {}) as Partial<FeatureOverview>;
  if (format !== "cursive-feature-pages" || version !== 1)
    throw new RangeError(`Expected cursive-feature-pages, version 1, but found ${format ?? "none"}, ${version ?? "none"}`);
  return value as FeatureOverview;
}

function nameOf(file: string): string {
  return file.replace(/\.js$/, "");
}
