import { randomUUID } from "node:crypto";
import { access, constants, mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { oneLine, systemCode, UsageError } from "../errors.ts";
import { writeSynced, writeWhole } from "./files.ts";
import { lockFolder, unlockFolder } from "./lock.ts";

/** A run's folder, which this process alone works on until it is released. Files in it appear whole or not at all. */
export class RunFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes a folder `parent/name-007`, numbered after the last run of any name, never one that was there before. It appears with its files in it.
   * @throws UsageError where nothing can be written.
   */
  static async create(
    parent: string,
    options: { readonly name: string; readonly files: Readonly<Record<string, string>> },
  ): Promise<RunFolder> {
    try {
      await access(await existing(parent), constants.W_OK); // the error of mkdir does not say what is wrong
      await mkdir(parent, { recursive: true });
      const draft = join(parent, `.starting-${randomUUID()}`);
      await mkdir(draft);
      try {
        for (const [name, content] of Object.entries(options.files)) await writeSynced(join(draft, name), content);
        await lockFolder(draft);
        return new RunFolder(await giveName(draft, { parent, name: options.name }));
      } finally {
        await rm(draft, { recursive: true, force: true });
      }
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`Expected a folder that can be written at ${parent} but found: ${oneLine(error)}`);
    }
  }

  /** Takes up the work on a run's folder. @throws UsageError where another process works on it, or nothing can be written. */
  static async open(path: string): Promise<RunFolder> {
    await lockFolder(path);
    return new RunFolder(path);
  }

  /** The folder's own name, by which the command line knows the run. */
  get name(): string {
    return basename(this.path);
  }

  /** The path of something in the folder. */
  file(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Whether there is such a file in it. */
  async has(name: string): Promise<boolean> {
    return access(this.file(name)).then(
      () => true,
      () => false,
    );
  }

  /** Makes a folder in it where there is none. */
  async ensure(name: string): Promise<void> {
    await mkdir(this.file(name), { recursive: true });
  }

  /** Writes a file, whole or not at all. @returns Its path. */
  async write(name: string, content: string | Uint8Array): Promise<string> {
    const path = this.file(name);
    await writeWhole(path, content);
    return path;
  }

  /** Lets others work on the run. */
  async release(): Promise<void> {
    await unlockFolder(this.path);
  }
}

/** A run's number, at the end of its folder's name. */
export function runNumber(name: string): number | undefined {
  const digits = /-(\d{3,})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Renames a finished folder to the next free number; a name that is taken cannot be renamed to, for it has files in it. */
async function giveName(draft: string, { parent, name }: { parent: string; name: string }): Promise<string> {
  const runs = (await readdir(parent)).filter((entry) => !entry.startsWith(".")); // a draft's name may end in digits too
  const taken = runs.map((entry) => runNumber(entry) ?? 0);
  for (let number = 1 + Math.max(0, ...taken); ; number++) {
    const path = join(parent, `${name}-${String(number).padStart(3, "0")}`);
    try {
      await rename(draft, path);
      return path;
    } catch (error) {
      if (!["ENOTEMPTY", "EEXIST", "EPERM", "ENOTDIR"].includes(systemCode(error) ?? "") || !(await isTaken(path))) throw error;
    }
  }
}

async function isTaken(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    (error) => systemCode(error) !== "ENOENT",
  );
}

/** A folder that is there: the path itself, or the nearest above it. */
async function existing(path: string): Promise<string> {
  return (await isTaken(path)) || path === dirname(path) ? path : existing(dirname(path));
}
