import { openDevice } from "@cursive/tensor";
import { expose } from "comlink";
import { type AdapterFacts, Bench, type NamedBytes, type SaeFacts } from "./bench.ts";
import type { CallContext } from "./call.ts";
import { calls } from "./calls.ts";
import { loadAsset, type Stage, type StageName, waitingStages } from "./loading.ts";
import type { ModelFacts } from "./model_file.ts";
import { warmUp } from "./write.ts";

/** What the bench has on it, as plain data. */
export interface BenchFacts {
  readonly adapter: AdapterFacts;
  readonly model: ModelFacts;
  readonly sae: SaeFacts | undefined;
  /** Whether the autoencoder is the app's own, of which it has pages. */
  readonly isOwnSae: boolean;
}

/** What the worker tells of itself. */
export type EngineEvent =
  | { readonly kind: "stages"; readonly stages: readonly Stage[] }
  | { readonly kind: "adapter"; readonly adapter: AdapterFacts }
  | { readonly kind: "lost"; readonly message: string };

/** What to open. */
export interface OpenRequest {
  /** Where the app's own files are. */
  readonly assets: string;
  /** A model in place of the app's own. */
  readonly model?: NamedBytes;
  /** An autoencoder of the model's, in place of the app's own. */
  readonly sae?: NamedBytes;
}

/** A call of the table. */
export interface AskRequest {
  readonly name: string;
  /** Tells it from the others, for {@link Engine.abort}. */
  readonly id: number;
  readonly request: unknown;
}

/** What the worker does for the page. */
export interface Engine {
  /** Opens the GPU and loads the app's files. @throws DeviceError, OutOfMemoryError, ForeignFileError, TypeError where a file cannot be had. */
  open(request: OpenRequest, onEvent: (event: EngineEvent) => void): Promise<BenchFacts>;
  /** Puts another model in place. @throws ForeignFileError */
  loadModel(file: NamedBytes): Promise<BenchFacts>;
  /** Puts another autoencoder of the model's activations in place. @throws ForeignFileError, SaeFormatError */
  loadSae(file: NamedBytes): Promise<BenchFacts>;
  /** Runs a call, after those before it: hooks on the model must not see each other's work. */
  ask(request: AskRequest, report: (progress: unknown) => unknown): Promise<unknown>;
  /** Asks a call to stop, or not to start. */
  abort(id: number): void;
}

type AnyCall = (bench: Bench, request: unknown, context: CallContext<unknown>) => Promise<unknown>;

let bench: Bench | undefined;
/** The {@link SaeFacts.id} of the app's own autoencoder, where it was loaded. */
let ownSae: string | undefined;
let queue: Promise<unknown> = Promise.resolve();
const controllers = new Map<number, AbortController>();

const engine: Engine = {
  async open({ assets, model, sae }, onEvent) {
    const stages = new Stages((list) => onEvent({ kind: "stages", stages: list }));
    const base = new URL(assets);
    const modelBytes = model ? Promise.resolve(model.bytes) : stages.load("model", new URL("model.safetensors", base));
    const saeBytes = sae || model ? Promise.resolve(sae?.bytes) : stages.load("sae", new URL("sae.safetensors", base));
    // Asked for at once, awaited one after another: what fails meanwhile is heard where it is awaited.
    modelBytes.catch(() => {});
    saeBytes.catch(() => {});

    const device = await stages.run("engine", () => openDevice());
    device.lost.then(({ message }) => onEvent({ kind: "lost", message }));
    const opened = new Bench(device);
    onEvent({ kind: "adapter", adapter: opened.adapterFacts });

    const bytes = await modelBytes;
    if (!bytes) throw new TypeError(`Expected the app's model at ${base.pathname}model.safetensors but found no such file`);
    await opened.loadModel({ name: model?.name ?? "model", bytes });
    stages.set("model", { state: "done", bytes: bytes.length, total: bytes.length });
    const found = await saeBytes;
    if (found) await opened.loadSae({ name: sae?.name ?? "sae", bytes: found });
    if (!sae) ownSae = opened.saeFacts?.id;
    stages.set("sae", found ? { state: "done", bytes: found.length, total: found.length } : { state: "missing" });
    await stages.run("kernels", () => warmUp(opened));
    bench = opened;
    return factsOf(opened);
  },

  loadModel(file) {
    return inTurn(async () => {
      const present = opened();
      await present.loadModel(file, { tryOut: warmUp });
      return factsOf(present);
    });
  },

  loadSae(file) {
    return inTurn(async () => {
      const present = opened();
      await present.loadSae(file);
      return factsOf(present);
    });
  },

  ask({ name, id, request }, report) {
    const call = (calls as unknown as Readonly<Record<string, AnyCall>>)[name];
    if (!call) return Promise.reject(new TypeError(`Expected a call of the table but found ${name}`));
    const controller = new AbortController();
    controllers.set(id, controller);
    const run = inTurn(async () => {
      controller.signal.throwIfAborted();
      let heard: unknown;
      const tell = (progress: unknown): void => {
        heard = report(progress);
      };
      const answer = await call(opened(), request, { report: tell, signal: controller.signal });
      await heard; // reports have a port of their own, where the answer could overtake the last of them
      return answer;
    });
    return run.finally(() => controllers.delete(id));
  },

  abort(id) {
    controllers.get(id)?.abort(new DOMException("The page asked to stop", "AbortError"));
  },
};

/** Runs work after what was asked for before, whether that failed or not. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const run = queue.then(work, work);
  queue = run.catch(() => {});
  return run;
}

function opened(): Bench {
  if (!bench) throw new TypeError("Expected the engine to be open but found it closed");
  return bench;
}

function factsOf({ adapterFacts, modelFacts, saeFacts }: Bench): BenchFacts {
  return { adapter: adapterFacts, model: modelFacts, sae: saeFacts, isOwnSae: saeFacts !== undefined && saeFacts.id === ownSae };
}

/** Keeps the list of stages and sends it with every change. */
class Stages {
  readonly #list = new Map<StageName, Stage>();
  readonly #send: (stages: readonly Stage[]) => void;

  constructor(send: (stages: readonly Stage[]) => void) {
    this.#send = send;
    for (const stage of waitingStages) this.#list.set(stage.name, stage);
  }

  set(name: StageName, change: Partial<Stage>): void {
    this.#list.set(name, { ...this.#list.get(name)!, ...change });
    this.#send([...this.#list.values()]);
  }

  async run<T>(name: StageName, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    this.set(name, { state: "running" });
    const result = await work();
    this.set(name, { state: "done", milliseconds: performance.now() - began });
    return result;
  }

  load(name: StageName, url: URL): Promise<Uint8Array | undefined> {
    this.set(name, { state: "running" });
    return loadAsset(url, (bytes, total) => this.set(name, { bytes, total }));
  }
}

expose(engine);
