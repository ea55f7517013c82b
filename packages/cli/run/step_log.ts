import { type FileHandle, open } from "node:fs/promises";
import { readIfThere, writeWhole } from "./files.ts";

/**
 * A file of JSON lines that belong to steps: one row a line, in the order of the steps, each step's once. Opened at a step it keeps the rows up
 * to there: later ones are of steps that will be taken again.
 */
export class StepLog<R extends { readonly step: number }> {
  /** The rows that were there when it was opened. */
  readonly before: readonly R[];
  readonly #file: FileHandle;

  private constructor(file: FileHandle, before: readonly R[]) {
    this.#file = file;
    this.before = before;
  }

  static async open<R extends { readonly step: number }>(path: string, options: { readonly step: number }): Promise<StepLog<R>> {
    const text = (await readIfThere(path))?.toString("utf8");
    const rows = parseRows<R>(text ?? "").rows.filter((row) => row.step <= options.step);
    const kept = rows.map(lineOf).join("");
    if (kept !== text) await writeWhole(path, kept);
    return new StepLog(await open(path, "a"), rows);
  }

  async append(row: R): Promise<void> {
    await this.#file.appendFile(lineOf(row));
  }

  /** Waits until all rows are on the disk. */
  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The rows in a text, and how many of its lines are none: one that a crash left unfinished is passed over. */
export function parseRows<R extends { readonly step: number }>(text: string): { readonly rows: R[]; readonly unreadable: number } {
  const lines = text.split("\n").filter((line) => line !== "");
  const rows = lines.flatMap((line) => {
    try {
      const row = JSON.parse(line) as R;
      return Number.isInteger(row?.step) ? [row] : [];
    } catch {
      return [];
    }
  });
  return { rows, unreadable: lines.length - rows.length };
}

function lineOf(row: object): string {
  return `${JSON.stringify(row)}\n`;
}
