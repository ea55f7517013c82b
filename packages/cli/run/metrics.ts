import { readIfThere } from "./files.ts";
import { parseRows, StepLog } from "./step_log.ts";

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

/** A model's `metrics.jsonl`, which knows its evaluations. */
export class MetricsFile {
  readonly #log: StepLog<MetricsRow>;
  readonly #evaluations: EvaluationRow[];

  private constructor(log: StepLog<MetricsRow>) {
    this.#log = log;
    this.#evaluations = log.before.filter(isEvaluation);
  }

  /** Opens it at a step: later rows are of steps that will be taken again. */
  static async open(path: string, options: { readonly step: number }): Promise<MetricsFile> {
    return new MetricsFile(await StepLog.open<MetricsRow>(path, options));
  }

  /** The evaluations so far. */
  get evaluations(): readonly EvaluationRow[] {
    return this.#evaluations;
  }

  async append(row: MetricsRow): Promise<void> {
    await this.#log.append(row);
    if (isEvaluation(row)) this.#evaluations.push(row);
  }

  /** Waits until all rows are on the disk. */
  async sync(): Promise<void> {
    await this.#log.sync();
  }

  async close(): Promise<void> {
    await this.#log.close();
  }
}

/** The rows of a `metrics.jsonl`, none where there is no file. A line that a crash left unfinished is passed over. */
export async function readMetrics(path: string): Promise<MetricsRow[]> {
  return parseMetrics((await readIfThere(path))?.toString("utf8") ?? "").rows;
}

/** The rows of a `metrics.jsonl`'s text, and how many of its lines are none. */
export function parseMetrics(text: string): { readonly rows: MetricsRow[]; readonly unreadable: number } {
  return parseRows<MetricsRow>(text);
}
