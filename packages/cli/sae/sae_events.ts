import { explainFailure } from "../errors.ts";
import type { Environment } from "../run/environment.ts";
import { readJsonIfThere } from "../run/files.ts";
import type { RunFolder } from "../run/run_folder.ts";
import type { SummaryValue } from "../tensorboard/event.ts";
import { EventLog, type LogEntry } from "../tensorboard/event_log.ts";
import { EVENTS_FOLDER } from "../tensorboard/export_run.ts";
import { valuesOfConfig, wallTimes } from "../tensorboard/run_events.ts";
import type { Output } from "../terminal/output.ts";
import type { SaeRunConfig } from "./sae_config.ts";
import type { SaeRow } from "./sae_metrics.ts";

/** What {@link SaeEvents.open} works with. */
export interface SaeEventsOptions {
  readonly config: SaeRunConfig;
  readonly folder: RunFolder;
  readonly output: Output;
  /** The rows of `metrics.jsonl` up to the step that the run goes on from. */
  readonly rows: readonly SaeRow[];
  readonly step: number;
}

/**
 * TensorBoard's event files, kept in step with `metrics.jsonl`: the same figures under the same names. No run needs them to go on: where they
 * cannot be written, that is said once.
 */
export class SaeEvents {
  readonly #options: SaeEventsOptions;
  #log: EventLog | undefined;

  private constructor(options: SaeEventsOptions) {
    this.#options = options;
  }

  /** Brings the event files to where the run stands. */
  static async open(options: SaeEventsOptions): Promise<SaeEvents> {
    const events = new SaeEvents(options);
    if (options.config.logging.tensorboard) await events.#attempt(() => events.#open());
    return events;
  }

  /** Tells TensorBoard of a row. */
  async append(row: SaeRow): Promise<void> {
    await this.#attempt(async () => this.#log?.append({ step: row.step, wallTime: Date.now() / 1000, values: valuesOf(row) }));
  }

  /** Waits until the events are on the disk. */
  async sync(): Promise<void> {
    await this.#attempt(async () => this.#log?.sync());
  }

  async close(): Promise<void> {
    await this.#attempt(async () => this.#log?.close());
  }

  async #open(): Promise<void> {
    const { config, folder, rows, step } = this.#options;
    const environment = (await readJsonIfThere(folder.file("env.json"))) as Environment | undefined;
    const timeOf = wallTimes(rows, environment);
    const head: LogEntry = { step: 0, wallTime: timeOf(0), values: valuesOfConfig(config, environment) };
    const expected = [head, ...rows.map((row) => ({ step: row.step, wallTime: timeOf(row.step), values: valuesOf(row) }))];
    this.#log = await EventLog.open(folder.file(EVENTS_FOLDER), { step, expected });
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log = undefined;
      const { folder, output } = this.#options;
      output.warn(`note: training goes on without ${folder.file(EVENTS_FOLDER)}, which cannot be written: ${explainFailure(error)}`);
    }
  }
}

function valuesOf({ step: _, ...figures }: SaeRow): SummaryValue[] {
  return Object.entries(figures).flatMap(([tag, scalar]) => (Number.isFinite(scalar) ? [{ tag, scalar }] : []));
}
