import { type FileHandle, open } from "node:fs/promises";
import { readIfThere, writeWhole } from "./files.ts";

/** A line of `metrics.jsonl`: what a training step or an evaluation measured. */
export type MetricsRow = StepRow | EvaluationRow;

/** What a training step measured. */
export interface StepRow {
  readonly step: number;
  /** Over all targets, padding included, before the step's change. */
  readonly loss: number;
  readonly lr: number;
  /** Wall time. */
  readonly milliseconds: number;
  readonly tokensPerSecond: number;
}

/** What an evaluation on held-out words measured, after so many steps. */
export interface EvaluationRow {
  readonly step: number;
  /** Over all targets, padding included. */
  readonly testLoss: number;
  /** Over targets that are ink or END. */
  readonly testLossReal: number;
}

/** Tells an evaluation's row from a step's. */
export function isEvaluation(row: MetricsRow): row is EvaluationRow {
  return "testLoss" in row;
}

/**
 * A run's `metrics.jsonl`: one row a line, in the order of the steps, each step once. Opened at a step it keeps the rows up to there: later
 * ones are of steps that will be taken again.
 */
export class MetricsFile {
  readonly #file: FileHandle;
  readonly #evaluations: EvaluationRow[];

  private constructor(file: FileHandle, rows: readonly MetricsRow[]) {
    this.#file = file;
    this.#evaluations = rows.filter(isEvaluation);
  }

  static async open(path: string, options: { readonly step: number }): Promise<MetricsFile> {
    const rows = (await readMetrics(path)).filter((row) => row.step <= options.step);
    const text = rows.map(lineOf).join("");
    if (text !== (await readIfThere(path))?.toString("utf8")) await writeWhole(path, text);
    return new MetricsFile(await open(path, "a"), rows);
  }

  /** The evaluations so far. */
  get evaluations(): readonly EvaluationRow[] {
    return this.#evaluations;
  }

  async append(row: MetricsRow): Promise<void> {
    await this.#file.appendFile(lineOf(row));
    if (isEvaluation(row)) this.#evaluations.push(row);
  }

  /** Waits until all rows are on the disk. */
  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The rows of a `metrics.jsonl`, none where there is no file. A line that a crash left unfinished is passed over. */
export async function readMetrics(path: string): Promise<MetricsRow[]> {
  return parseMetrics((await readIfThere(path))?.toString("utf8") ?? "").rows;
}

/** The rows of a `metrics.jsonl`'s text, and how many of its lines are none. */
export function parseMetrics(text: string): { readonly rows: MetricsRow[]; readonly unreadable: number } {
  const lines = text.split("\n").filter((line) => line !== "");
  const rows = lines.flatMap((line) => {
    try {
      const row = JSON.parse(line) as MetricsRow;
      return Number.isInteger(row?.step) ? [row] : [];
    } catch {
      return [];
    }
  });
  return { rows, unreadable: lines.length - rows.length };
}

function lineOf(row: MetricsRow): string {
  return `${JSON.stringify(row)}\n`;
}
