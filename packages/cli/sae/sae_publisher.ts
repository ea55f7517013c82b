import { explainFailure } from "../errors.ts";
import type { Environment } from "../run/environment.ts";
import { readJsonIfThere } from "../run/files.ts";
import { type RunFolder, runNumber } from "../run/run_folder.ts";
import type { SummaryValue } from "../tensorboard/event.ts";
import { EventLog, type LogEntry } from "../tensorboard/event_log.ts";
import { EVENTS_FOLDER } from "../tensorboard/export_run.ts";
import { valuesOfConfig, wallTimes } from "../tensorboard/run_events.ts";
import type { Output } from "../terminal/output.ts";
import { readSaeRun } from "./report/read_sae_run.ts";
import { writeSaeReport } from "./report/write_sae_report.ts";
import type { SaeRunConfig } from "./sae_config.ts";
import type { SaeRow } from "./sae_metrics.ts";

const REPORT = "report.html";

/** What {@link SaePublisher.open} works with. */
export interface SaePublisherOptions {
  readonly config: SaeRunConfig;
  readonly folder: RunFolder;
  readonly output: Output;
  /** The rows of `metrics.jsonl` up to the step that the run goes on from. */
  readonly rows: readonly SaeRow[];
  readonly step: number;
}

/**
 * What people look at, kept in step with a run: `report.html`, and TensorBoard's event files with the figures of `metrics.jsonl` under the same
 * names. No run needs them to go on: where one cannot be written, that is said once.
 */
export class SaePublisher {
  readonly #options: SaePublisherOptions;
  readonly #failed = new Set<string>();
  #log: EventLog | undefined;

  private constructor(options: SaePublisherOptions) {
    this.#options = options;
  }

  /** Brings the event files to where the run stands. */
  static async open(options: SaePublisherOptions): Promise<SaePublisher> {
    const publisher = new SaePublisher(options);
    if (options.config.logging.tensorboard) await publisher.#attempt(EVENTS_FOLDER, () => publisher.#open());
    return publisher;
  }

  /** Tells TensorBoard of a row. */
  async append(row: SaeRow): Promise<void> {
    await this.#attempt(EVENTS_FOLDER, async () =>
      this.#log?.append({ step: row.step, wallTime: Date.now() / 1000, values: valuesOf(row) }),
    );
  }

  /** Writes `report.html` as things stand. */
  async report(): Promise<void> {
    const { config, folder } = this.#options;
    if (!config.logging.report) return;
    await this.#attempt(REPORT, async () => {
      const { name, path } = folder;
      await writeSaeReport(folder.file(REPORT), await readSaeRun({ name, path, number: runNumber(name) }));
    });
  }

  /** Waits until the events are on the disk. */
  async sync(): Promise<void> {
    await this.#attempt(EVENTS_FOLDER, async () => this.#log?.sync());
  }

  async close(): Promise<void> {
    await this.#attempt(EVENTS_FOLDER, async () => this.#log?.close());
  }

  async #open(): Promise<void> {
    const { config, folder, rows, step } = this.#options;
    const environment = (await readJsonIfThere(folder.file("env.json"))) as Environment | undefined;
    const timeOf = wallTimes(rows, environment);
    const head: LogEntry = { step: 0, wallTime: timeOf(0), values: valuesOfConfig(config, environment) };
    const expected = [head, ...rows.map((row) => ({ step: row.step, wallTime: timeOf(row.step), values: valuesOf(row) }))];
    this.#log = await EventLog.open(folder.file(EVENTS_FOLDER), { step, expected });
  }

  async #attempt(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (name === EVENTS_FOLDER) this.#log = undefined; // what stands behind a torn entry could not be read; resuming mends it
      if (this.#failed.has(name)) return;
      this.#failed.add(name);
      const { folder, output } = this.#options;
      output.warn(`note: training goes on without ${folder.file(name)}, which cannot be written: ${explainFailure(error)}`);
    }
  }
}

function valuesOf({ step: _, ...figures }: SaeRow): SummaryValue[] {
  return Object.entries(figures).flatMap(([tag, scalar]) => (Number.isFinite(scalar) ? [{ tag, scalar }] : []));
}
