import { appendFile, mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UsageError } from "../errors.ts";

/** A run's folder: never one that was there before; files appear whole or not at all. */
export class RunFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes `parent/name-001`, or the first number that is free. @throws UsageError where nothing can be written. */
  static async create(parent: string, name: string): Promise<RunFolder> {
    try {
      await mkdir(parent, { recursive: true });
      for (let number = 1; ; number++) {
        const path = join(parent, `${name}-${String(number).padStart(3, "0")}`);
        try {
          await mkdir(path);
          return new RunFolder(path);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        }
      }
    } catch (error) {
      throw new UsageError(`Expected a folder that can be written at ${parent} but found: ${(error as Error).message}`);
    }
  }

  /** Writes a file under a temporary name, makes sure that it is on the disk, and renames it. */
  async write(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.path, name);
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.partial`;
    const file = await open(temporary, "w");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    return path;
  }

  /** Adds a line of JSON to `metrics.jsonl`. */
  async record(row: Readonly<Record<string, unknown>>): Promise<void> {
    await appendFile(join(this.path, "metrics.jsonl"), `${JSON.stringify(row)}\n`);
  }
}
