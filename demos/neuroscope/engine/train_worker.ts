import { expose } from "comlink";
import { lockRun, openRunFiles } from "./run_files.ts";
import { SavedRuns } from "./saved_runs.ts";
import type { TrainConfig } from "./train_config.ts";
import type { Tuning } from "./train_file.ts";
import { type TrainEvent, TrainHost } from "./train_host.ts";

/** What is asked of the worker that trains. Everything that happens is told to the listener, and before an answer everything that led to it. */
export interface TrainWorker {
  /** Once, before anything else. @returns Where runs are kept. */
  connect(listen: (event: TrainEvent) => void, options?: { readonly saveEveryMs?: number }): Promise<"opfs" | "indexeddb" | "memory">;
  start(config: TrainConfig, sources: { readonly bank?: Uint8Array<ArrayBuffer>; readonly model?: Uint8Array }): Promise<void>;
  open(id: string): Promise<void>;
  openFile(bytes: Uint8Array): Promise<void>;
  play(): Promise<void>;
  pause(): Promise<void>;
  step(): Promise<void>;
  stop(): Promise<void>;
  tune(tuning: Tuning): Promise<void>;
  watch(feature: number): Promise<void>;
  save(): Promise<void>;
  saveFile(): Promise<Uint8Array<ArrayBuffer>>;
  exportWeights(): Promise<Uint8Array<ArrayBuffer>>;
  remove(id: string): Promise<void>;
}

let host: TrainHost | undefined;
let lastHeard: unknown;

/**
 * Asks the host, and answers once the page has heard of everything that happened until then: events have a port of their own, where an answer could
 * overtake them.
 */
async function ask<T>(question: (host: TrainHost) => T | Promise<T>): Promise<T> {
  if (!host) throw new Error("Expected connect() first but found no connection");
  try {
    return await question(host);
  } finally {
    await lastHeard;
  }
}

const worker: TrainWorker = {
  async connect(listen, options = {}) {
    const { files, place } = await openRunFiles();
    const tell = (event: TrainEvent): void => {
      lastHeard = listen(event);
    };
    host = new TrainHost({ runs: new SavedRuns(files), tell, lock: lockRun, ...options });
    await ask((opened) => opened.list());
    return place;
  },
  start: (config, sources) => ask((opened) => opened.start(config, sources)),
  open: (id) => ask((opened) => opened.open(id)),
  openFile: (bytes) => ask((opened) => opened.openFile(bytes)),
  play: () => ask((opened) => opened.play()),
  pause: () => ask((opened) => opened.pause()),
  step: () => ask((opened) => opened.step()),
  stop: () => ask((opened) => opened.stop()),
  tune: (tuning) => ask((opened) => opened.tune(tuning)),
  watch: (feature) => ask((opened) => opened.watch(feature)),
  save: () => ask((opened) => opened.save()),
  saveFile: () => ask((opened) => opened.saveFile()),
  exportWeights: () => ask((opened) => opened.exportWeights()),
  remove: (id) => ask((opened) => opened.remove(id)),
};

expose(worker);
