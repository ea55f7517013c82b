import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { proxy, type Remote, wrap } from "comlink";
import type { RunEntry } from "./saved_runs.ts";
import type { TrainConfig } from "./train_config.ts";
import type { Tuning } from "./train_file.ts";
import type { TrainEvent, TrainStatus } from "./train_host.ts";
import type { Look } from "./train_session.ts";
import type { TrainWorker } from "./train_worker.ts";

/** The curves of the run that is open: rows that grow, and a number that changes when they do. A row that has not changed is the same object. */
export interface Curves {
  readonly rows: readonly (readonly number[])[];
  readonly version: number;
}

/**
 * The page's side of the worker that trains: how the run stands as signals, and what can be asked of it. The worker is started with the first
 * question, and goes on when the page is left for another.
 *
 * @example
 * ```ts
 * await trainer.start(modelPresets.quick.config);
 * await trainer.play();
 * ```
 */
export class TrainClient {
  readonly #status: Signal<TrainStatus> = signal({ state: "idle" });
  readonly #curves: Signal<Curves> = signal({ rows: [], version: 0 });
  readonly #look: Signal<Look | undefined> = signal(undefined);
  readonly #runs: Signal<readonly RunEntry[] | undefined> = signal(undefined);
  readonly #isKept: Signal<boolean> = signal(true);
  readonly #rows: (readonly number[])[] = [];
  readonly #makeWorker: () => Worker;
  #remote: Promise<Remote<TrainWorker>> | undefined;

  constructor(options: { readonly makeWorker: () => Worker }) {
    this.#makeWorker = options.makeWorker;
  }

  get status(): ReadonlySignal<TrainStatus> {
    return this.#status;
  }

  get curves(): ReadonlySignal<Curves> {
    return this.#curves;
  }

  get look(): ReadonlySignal<Look | undefined> {
    return this.#look;
  }

  /** Saved runs; undefined before they are known. */
  get runs(): ReadonlySignal<readonly RunEntry[] | undefined> {
    return this.#runs;
  }

  /** False where this browser keeps nothing beyond the tab. */
  get isKept(): ReadonlySignal<boolean> {
    return this.#isKept;
  }

  /** Whether leaving the page would lose something. */
  get isUnsaved(): boolean {
    const { state, run } = this.#status.peek();
    if (!run) return false;
    return state === "running" || !this.#isKept.peek() || run.savedStep !== run.step;
  }

  /** Starts the worker and asks for the saved runs. @throws Why it cannot be started; the next question tries again. */
  async connect(): Promise<void> {
    await this.#worker();
  }

  async start(config: TrainConfig, sources: { readonly bank?: Uint8Array<ArrayBuffer>; readonly model?: Uint8Array } = {}): Promise<void> {
    this.#look.value = undefined;
    await (await this.#worker()).start(config, sources);
  }

  async open(id: string): Promise<void> {
    this.#look.value = undefined;
    await (await this.#worker()).open(id);
  }

  async openFile(file: File): Promise<void> {
    this.#look.value = undefined;
    await (await this.#worker()).openFile(new Uint8Array(await file.arrayBuffer()));
  }

  async play(): Promise<void> {
    await (await this.#worker()).play();
  }

  async pause(): Promise<void> {
    await (await this.#worker()).pause();
  }

  async step(): Promise<void> {
    await (await this.#worker()).step();
  }

  async stop(): Promise<void> {
    await (await this.#worker()).stop();
  }

  async tune(tuning: Tuning): Promise<void> {
    await (await this.#worker()).tune(tuning);
  }

  async watch(feature: number): Promise<void> {
    await (await this.#worker()).watch(feature);
  }

  async saveFile(): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#worker()).saveFile();
  }

  async exportWeights(): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#worker()).exportWeights();
  }

  async remove(id: string): Promise<void> {
    await (await this.#worker()).remove(id);
  }

  #worker(): Promise<Remote<TrainWorker>> {
    this.#remote ??= this.#begin();
    return this.#remote;
  }

  async #begin(): Promise<Remote<TrainWorker>> {
    const worker = this.#makeWorker();
    const remote = wrap<TrainWorker>(worker);
    const fail = (text: string): void => {
      worker.terminate();
      this.#remote = undefined;
      this.#status.value = { state: "failed", failure: { kind: "other", text } };
    };
    const broken = new Promise<never>((_, reject) => {
      worker.onerror = (event) => {
        const text = event.message || "The script that trains could not be loaded";
        fail(text);
        reject(new Error(text));
      };
    });
    broken.catch(() => {}); // once it is connected, the status alone says it
    try {
      const place = await Promise.race([remote.connect(proxy((event: TrainEvent) => this.#hear(event))), broken]);
      this.#isKept.value = place !== "memory";
      return remote;
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  #hear(event: TrainEvent): void {
    if (event.type === "status") this.#status.value = event.status;
    else if (event.type === "look") this.#look.value = event.look;
    else if (event.type === "runs") this.#runs.value = event.runs;
    else {
      this.#rows.length = event.from;
      for (const row of event.rows) this.#rows.push(row); // one by one: a long run has more than a call takes arguments
      this.#curves.value = { rows: this.#rows, version: this.#curves.peek().version + 1 };
    }
  }
}
