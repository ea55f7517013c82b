import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { HostTensor } from "@cursive/tensor";
import type { RunConfig } from "../config/run_config.ts";
import { explainFailure } from "../errors.ts";
import { readRunForReport } from "../report/read_run.ts";
import { writeReport } from "../report/write_report.ts";
import { EventLog } from "../tensorboard/event_log.ts";
import { EVENTS_FOLDER } from "../tensorboard/export_run.ts";
import { histogramOf } from "../tensorboard/histogram.ts";
import { runEntries, valueOfSamples, valuesOfRow } from "../tensorboard/run_events.ts";
import type { Output } from "../terminal/output.ts";
import type { RunEntry } from "./find_run.ts";
import { type MetricsRow, readMetrics } from "./metrics.ts";
import { type RunFolder, runNumber } from "./run_folder.ts";
import { samplesName } from "./samples.ts";
import { runEnvironment } from "./summary.ts";

/** What {@link Publisher.open} works with. */
export interface PublisherOptions {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly output: Output;
  /** The step that the run goes on from, up to which `metrics.jsonl` has its rows. */
  readonly step: number;
}

/**
 * Keeps what people look at in step with a run: `report.html` and TensorBoard's event files. Both follow from the run's other files, and no run
 * needs them to go on: where one cannot be written, that is said once, and training continues without it.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #failed = new Set<string>();
  #events: EventLog | undefined;

  private constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Brings the event files to where the run stands, and waits for what it does. */
  static async open(options: PublisherOptions): Promise<Publisher> {
    const publisher = new Publisher(options);
    await publisher.#open();
    return publisher;
  }

  async #open(): Promise<void> {
    const { config, folder, step } = this.#options;
    if (!config.logging.tensorboard) return;
    await this.#attempt(EVENTS_FOLDER, async () => {
      const environment = await runEnvironment(this.#entry);
      const rows = await readMetrics(folder.file("metrics.jsonl"));
      const expected = await runEntries({ path: folder.path, config, environment, rows }, { step });
      this.#events = await EventLog.open(folder.file(EVENTS_FOLDER), { step, expected });
    });
  }

  /** Tells TensorBoard of a row of the metrics. */
  async row(row: MetricsRow): Promise<void> {
    await this.#append(row.step, () => valuesOfRow(row));
  }

  /** Tells TensorBoard of the sheet that was drawn at a step. */
  async samples(step: number): Promise<void> {
    const png = this.#options.folder.file(samplesName(step, "png"));
    await this.#append(step, async () => [valueOfSamples(await readFile(png))]);
  }

  /** Tells TensorBoard how the elements of tensors are spread: `parameters/lm_head.weight`. */
  async histograms(step: number, groups: Readonly<Record<string, Iterable<readonly [string, HostTensor]>>>): Promise<void> {
    await this.#append(step, () =>
      Object.entries(groups).flatMap(([group, tensors]) =>
        [...tensors].map(([name, { data }]) => ({ tag: `${group}/${name}`, histogram: histogramOf(data as Float32Array) })),
      ),
    );
  }

  /** Writes `report.html` as things stand. */
  async report(): Promise<void> {
    const { config, folder } = this.#options;
    if (!config.logging.report) return;
    const path = folder.file("report.html");
    await this.#attempt(basename(path), async () => {
      await writeReport(path, [await readRunForReport(this.#entry)]);
    });
  }

  /** Waits until the events are on the disk, as the metrics are before a checkpoint. */
  async sync(): Promise<void> {
    await this.#attempt(EVENTS_FOLDER, async () => this.#events?.sync());
  }

  async close(): Promise<void> {
    await this.#attempt(EVENTS_FOLDER, async () => this.#events?.close());
  }

  get #entry(): RunEntry {
    const { name, path } = this.#options.folder;
    return { name, path, number: runNumber(name) };
  }

  async #append(step: number, values: () => ReturnType<typeof valuesOfRow> | Promise<ReturnType<typeof valuesOfRow>>): Promise<void> {
    if (!this.#events) return;
    await this.#attempt(EVENTS_FOLDER, async () => this.#events?.append({ step, wallTime: Date.now() / 1000, values: await values() }));
  }

  async #attempt(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (name === EVENTS_FOLDER) this.#events = undefined; // what stands behind a torn entry could not be read; resuming mends it
      if (this.#failed.has(name)) return;
      this.#failed.add(name);
      const { folder, output } = this.#options;
      output.warn(`note: training goes on without ${folder.file(name)}, which cannot be written: ${explainFailure(error)}`);
    }
  }
}
