import { expose } from "comlink";
import { lockRun, openRunFiles } from "./run_files.ts";
import { SavedRuns } from "./saved_runs.ts";
import type { TrainConfig } from "./train_config.ts";
import type { Tuning } from "./train_file.ts";
import { type TrainEvent, TrainHost } from "./train_host.ts";

/** What is asked of the worker that trains. Everything that happens is told to the listener. */
export interface TrainWorker {
  /** Once, before anything else. @returns Where runs are kept. */
  connect(listen: (event: TrainEvent) => void, options?: { readonly saveEveryMs?: number }): Promise<"opfs" | "indexeddb" | "memory">;
  start(config: TrainConfig, sources: { readonly bank?: Uint8Array<ArrayBuffer>; readonly model?: Uint8Array }): Promise<void>;
  open(id: string): Promise<void>;
  openFile(bytes: Uint8Array): Promise<void>;
  play(): void;
  pause(): Promise<void>;
  step(): Promise<void>;
  stop(): Promise<void>;
  tune(tuning: Tuning): void;
  watch(feature: number): Promise<void>;
  save(): Promise<void>;
  saveFile(): Promise<Uint8Array<ArrayBuffer>>;
  exportWeights(): Promise<Uint8Array<ArrayBuffer>>;
  remove(id: string): Promise<void>;
}

let host: TrainHost | undefined;

function opened(): TrainHost {
  if (!host) throw new Error("Expected connect() first but found no connection");
  return host;
}

const worker: TrainWorker = {
  async connect(listen, options = {}) {
    const { files, place } = await openRunFiles();
    host = new TrainHost({ runs: new SavedRuns(files), tell: listen, lock: lockRun, ...options });
    await host.list();
    return place;
  },
  start: (config, sources) => opened().start(config, sources),
  open: (id) => opened().open(id),
  openFile: (bytes) => opened().openFile(bytes),
  play: () => opened().play(),
  pause: () => opened().pause(),
  step: () => opened().step(),
  stop: () => opened().stop(),
  tune: (tuning) => opened().tune(tuning),
  watch: (feature) => opened().watch(feature),
  save: () => opened().save(),
  saveFile: () => opened().saveFile(),
  exportWeights: () => opened().exportWeights(),
  remove: (id) => opened().remove(id),
};

expose(worker);
