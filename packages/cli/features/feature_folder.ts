import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { IndexFiles } from "@cursive/sae";
import {
  type FeatureOverview,
  type FeaturePage,
  type FeatureSource,
  featureFiles,
  formatFeatureFile,
  parseFeatureFile,
  sequencesPerFile,
} from "@cursive/sae/dashboard";
import { systemCode, UsageError } from "../errors.ts";
import { syncFolder, writeSynced } from "../run/files.ts";
import { folderFiles } from "../sae/shard_files.ts";

/** Pages to write: any source that can go through all of them, such as `FeaturePages`. */
export interface WritableFeatures extends Pick<FeatureSource, "overview" | "sequence"> {
  /** How many sequences there are. */
  readonly sequences: number;
  all(options: { readonly signal?: AbortSignal }): AsyncIterable<FeaturePage>;
}

/** How large a written folder is, in bytes. */
export interface FeatureFolderSize {
  readonly files: number;
  readonly bytes: number;
  readonly largest: { readonly file: string; readonly bytes: number };
  /** Files of one feature each. */
  readonly pages: { readonly files: number; readonly bytes: number };
}

/** What a folder is made to hold, and so which former one it may replace. */
export interface FolderKind {
  readonly name: string;
  /** Whether there is nothing but that in a folder, which is not empty. */
  holds(path: string): Promise<boolean>;
}

/** Pages that open from disk: `index.html` and `data` with files as `formatFeatureFile` of `@cursive/sae/dashboard` makes them. */
const featurePages: FolderKind = { name: "feature pages", holds: holdsFeaturePages };

/**
 * A folder of features while it is made: under another name beside its own, so that it appears whole or not at all.
 *
 * @example
 * ```ts
 * await using folder = await FeatureFolder.create("features");
 * await folder.write(pages, { html });
 * const size = await folder.finish();
 * ```
 */
export class FeatureFolder {
  /** Where it will be. */
  readonly path: string;
  readonly #draft: string;
  readonly #kind: FolderKind;
  readonly #sizes = new Map<string, number>();
  #isFinished = false;

  private constructor(path: string, { draft, kind }: { readonly draft: string; readonly kind: FolderKind }) {
    this.path = path;
    this.#draft = draft;
    this.#kind = kind;
  }

  /** @throws UsageError if something else than a folder of its kind is there already, or the folder cannot be made. */
  static async create(path: string, kind: FolderKind = featurePages): Promise<FeatureFolder> {
    const whole = resolve(path);
    await checkReplaceable(whole, kind);
    try {
      await mkdir(dirname(whole), { recursive: true });
      await removeAbandoned(whole);
      const draft = `${draftPrefix(whole)}${randomUUID()}`;
      await mkdir(draft);
      return new FeatureFolder(whole, { draft, kind });
    } catch (error) {
      throw new UsageError(`Expected a folder that can be written at ${whole} but found ${systemCode(error) ?? error}`);
    }
  }

  /** Files of the activation index while it is built; `isKept` leaves them in `index` of the folder. */
  indexFiles({ isKept }: { readonly isKept: boolean }): IndexFiles {
    const folder = join(this.#draft, isKept ? "index" : "index-draft");
    return { ...folderFiles(folder), remove: (name) => rm(join(folder, name)) };
  }

  /** Writes pages with all that they need. @throws The reason of `signal`, if it asks to stop. */
  async write(
    pages: WritableFeatures,
    options: {
      /** The text of `index.html`. */
      readonly html: string;
      readonly signal?: AbortSignal;
      readonly onPages?: (done: number) => void;
    },
  ): Promise<void> {
    const { html, signal, onPages } = options;
    await this.put("index.html", html);
    await this.#putData(featureFiles.overview, await pages.overview());
    for (let first = 0; first < pages.sequences; first += sequencesPerFile) {
      const count = Math.min(sequencesPerFile, pages.sequences - first);
      const numbers = Array.from({ length: count }, (_, i) => first + i);
      await this.#putData(featureFiles.sequences(first), await Promise.all(numbers.map((number) => pages.sequence(number))));
    }
    let done = 0;
    for await (const page of pages.all({ signal })) {
      await this.#putData(featureFiles.page(page.index), page);
      onPages?.(++done);
    }
    await syncFolder(join(this.#draft, "data"));
  }

  /** Writes a file, whose name may have folders in it. */
  async put(name: string, content: string | Uint8Array): Promise<void> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const file = join(this.#draft, name);
    await mkdir(dirname(file), { recursive: true });
    await writeSynced(file, bytes);
    this.#sizes.set(name, bytes.length);
  }

  /** Puts the folder into its place, in that of its former self. @throws UsageError if something else has come there. */
  async finish(): Promise<FeatureFolderSize> {
    await rm(join(this.#draft, "index-draft"), { recursive: true, force: true });
    await checkReplaceable(this.path, this.#kind);
    const former = `${this.#draft}-former`;
    const isReplacing = await rename(this.path, former).then(
      () => true,
      (error) => {
        if (systemCode(error) === "ENOENT") return false;
        throw error;
      },
    );
    try {
      await rename(this.#draft, this.path);
    } catch (error) {
      if (isReplacing) await rename(former, this.path);
      throw error;
    }
    this.#isFinished = true;
    await syncFolder(dirname(this.path));
    await rm(former, { recursive: true, force: true });
    return this.#size();
  }

  /** Removes what is not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isFinished) await rm(this.#draft, { recursive: true, force: true });
  }

  async #putData(file: string, value: unknown): Promise<void> {
    await this.put(join("data", file), formatFeatureFile(file, value));
  }

  #size(): FeatureFolderSize {
    const sizes = [...this.#sizes];
    const total = (of: readonly (readonly [string, number])[]): number => of.reduce((sum, [, bytes]) => sum + bytes, 0);
    const pages = sizes.filter(([file]) => basename(file).startsWith("feature-"));
    const [file, bytes] = sizes.reduce((a, b) => (b[1] > a[1] ? b : a));
    return { files: sizes.length, bytes: total(sizes), largest: { file, bytes }, pages: { files: pages.length, bytes: total(pages) } };
  }
}

/** What the names of drafts of a folder begin with. */
function draftPrefix(path: string): string {
  return join(dirname(path), `.${basename(path)}-draft-`);
}

/** Milliseconds after which nobody works on a draft any more. */
const ABANDONED = 24 * 3600 * 1000;

/** Removes drafts that a killed process has left. */
async function removeAbandoned(path: string): Promise<void> {
  const prefix = draftPrefix(path);
  for (const name of await readdir(dirname(path))) {
    const draft = join(dirname(path), name);
    if (!draft.startsWith(prefix)) continue;
    const isOld = await stat(draft).then(
      ({ mtimeMs }) => Date.now() - mtimeMs > ABANDONED,
      () => false, // its owner was quicker
    );
    if (isOld) await rm(draft, { recursive: true, force: true });
  }
}

/** @throws UsageError unless there is nothing, an empty folder, or one of the same kind. */
async function checkReplaceable(path: string, { name: kind, holds }: FolderKind): Promise<void> {
  const names = await readdir(path).catch((error) => {
    if (systemCode(error) === "ENOENT") return [];
    throw new UsageError(`Expected a folder at ${path} but found ${systemCode(error) === "ENOTDIR" ? "a file" : systemCode(error)}`);
  });
  if (names.length > 0 && !(await holds(path)))
    throw new UsageError(
      `Expected ${kind} to replace, or nothing, at ${path} but found ${names.slice(0, 3).join(", ")}: give another --out`,
    );
}

async function holdsFeaturePages(path: string): Promise<boolean> {
  try {
    const { value } = parseFeatureFile(await readFile(join(path, "data", featureFiles.overview), "utf8"));
    return (value as Partial<FeatureOverview> | null)?.format === "cursive-feature-pages";
  } catch {
    return false;
  }
}
