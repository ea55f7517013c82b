import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { proxy, type Remote, wrap } from "comlink";
import type { AdapterFacts, NamedBytes, SaeFacts } from "./bench.ts";
import type { CallContext } from "./call.ts";
import type { Calls } from "./calls.ts";
import { type Failure, failureOf, missingWebGpu } from "./failure.ts";
import { type Stage, waitingStages } from "./loading.ts";
import type { ModelFacts } from "./model_file.ts";
import type { BenchFacts, Engine, EngineEvent } from "./worker.ts";

/** Whether the engine can be used. */
export type BenchStatus =
  | { readonly kind: "loading"; readonly stages: readonly Stage[] }
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly failure: Failure };

export type CallName = keyof Calls;
export type RequestOf<N extends CallName> = Parameters<Calls[N]>[1];
export type AnswerOf<N extends CallName> = Awaited<ReturnType<Calls[N]>>;
export type ProgressOf<N extends CallName> = Parameters<Calls[N]>[2] extends CallContext<infer P> ? P : never;

/** Options of {@link BenchClient.ask}. */
export interface AskOptions<P> {
  /** Called with what the call sends while it goes on. */
  readonly onProgress?: (progress: P) => void;
  /** Asks to stop. What was asked then rejects with the signal's reason at once, and nothing of it arrives any more. */
  readonly signal?: AbortSignal;
}

/**
 * The page's side of the engine, which runs in a worker: what it has as signals, and its calls as promises.
 *
 * @example
 * ```ts
 * const { words } = await bench.ask("write", request, { onProgress: (tokens) => draw(tokens), signal });
 * ```
 */
export class BenchClient {
  readonly #status: Signal<BenchStatus> = signal({ kind: "loading", stages: waitingStages });
  readonly #adapter: Signal<AdapterFacts | undefined> = signal(undefined);
  readonly #model: Signal<ModelFacts | undefined> = signal(undefined);
  readonly #sae: Signal<SaeFacts | undefined> = signal(undefined);
  readonly #isOwnSae: Signal<boolean> = signal(false);
  readonly #makeWorker: () => Worker;
  readonly #assets: string;
  #worker: Worker | undefined;
  #engine: Remote<Engine> | undefined;
  /** Files that were opened in place of the app's own: they are opened again when the engine starts again. */
  #openedModel: NamedBytes | undefined;
  #openedSae: NamedBytes | undefined;
  #nextId = 1;
  #pending = new Set<(failure: Error) => void>();

  /** `assets` is where the app's own files are, with a slash at its end. */
  constructor(options: { readonly makeWorker: () => Worker; readonly assets: string }) {
    this.#makeWorker = options.makeWorker;
    this.#assets = options.assets;
  }

  get status(): ReadonlySignal<BenchStatus> {
    return this.#status;
  }

  /** Known before the model is. */
  get adapter(): ReadonlySignal<AdapterFacts | undefined> {
    return this.#adapter;
  }

  get model(): ReadonlySignal<ModelFacts | undefined> {
    return this.#model;
  }

  get sae(): ReadonlySignal<SaeFacts | undefined> {
    return this.#sae;
  }

  /** Whether the autoencoder is the app's own, of which it has pages. */
  get isOwnSae(): ReadonlySignal<boolean> {
    return this.#isOwnSae;
  }

  /** Starts the engine, or starts it again after it failed. Ends when it is ready or has failed; {@link status} says which. */
  async start(): Promise<void> {
    this.#stop(new Error("The engine was started again"));
    const missing = missingWebGpu(globalThis);
    if (missing) {
      this.#status.value = { kind: "failed", failure: missing };
      return;
    }
    this.#status.value = { kind: "loading", stages: waitingStages };
    const worker = this.#makeWorker();
    const engine = wrap<Engine>(worker);
    this.#worker = worker;
    this.#engine = engine;
    const onEvent = (event: EngineEvent): void => {
      if (this.#worker === worker) this.#hear(event);
    };
    const broken = new Promise<never>((_, reject) => {
      worker.onerror = (event) => reject(new Error(event.message || "The engine's script could not be loaded"));
    });
    try {
      const request = { assets: this.#assets, model: this.#openedModel, sae: this.#openedSae };
      const facts = await Promise.race([engine.open(request, proxy(onEvent)), broken]);
      if (this.#worker !== worker) return;
      batch(() => {
        this.#take(facts);
        this.#status.value = { kind: "ready" };
      });
    } catch (error) {
      if (this.#worker === worker) this.#fail(failureOf(error));
    }
  }

  /**
   * Puts the model of a file in place, for all pages. @throws ForeignFileError for other files, with the reason; the model before then stays.
   */
  async openModel(file: File): Promise<void> {
    const named: NamedBytes = { name: file.name.replace(/\.safetensors$/, ""), bytes: new Uint8Array(await file.arrayBuffer()) };
    this.#take(await this.#ready().loadModel(named));
    this.#openedModel = named;
    this.#openedSae = undefined; // it was of the model before
  }

  /** Puts the autoencoder of a file in place, for all pages. @throws SaeFormatError or ForeignFileError for other files, and other models'. */
  async openSae(file: File): Promise<void> {
    const named: NamedBytes = { name: file.name.replace(/\.safetensors$/, ""), bytes: new Uint8Array(await file.arrayBuffer()) };
    this.#take(await this.#ready().loadSae(named));
    this.#openedSae = named;
  }

  /** The file of the model that is in place, for whoever works on it elsewhere. @throws TypeError where it cannot be had. */
  async modelFile(): Promise<NamedBytes> {
    if (this.#openedModel) return this.#openedModel;
    const response = await fetch(new URL("model.safetensors", this.#assets));
    if (!response.ok) throw new TypeError(`Expected the app's model but found ${response.status} ${response.statusText}`);
    return { name: "model", bytes: new Uint8Array(await response.arrayBuffer()) };
  }

  /**
   * Has the worker run a call of the table `engine/calls.ts`. Calls run one after another, in the order in which they are asked for. Rejects
   * while the engine is not ready.
   */
  ask<N extends CallName>(name: N, request: RequestOf<N>, options: AskOptions<ProgressOf<N>> = {}): Promise<AnswerOf<N>> {
    const { onProgress, signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const engine = this.#engine;
    if (!engine || this.#status.peek().kind !== "ready") return Promise.reject(notReady());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        this.#pending.delete(giveUp);
        signal?.removeEventListener("abort", onAbort);
        settle();
      };
      const giveUp = (error: Error): void => end(() => reject(error));
      const onAbort = (): void => {
        void engine.abort(id);
        end(() => reject(signal!.reason));
      };
      this.#pending.add(giveUp);
      signal?.addEventListener("abort", onAbort);
      const report = (progress: unknown): void => {
        if (!isOver) onProgress?.(progress as ProgressOf<N>);
      };
      engine.ask({ name, id, request }, proxy(report)).then(
        (answer) => end(() => resolve(answer as AnswerOf<N>)),
        (error) =>
          end(() => {
            const failure = failureOf(error);
            if (failure.kind === "lost" || failure.kind === "memory") this.#fail(failure);
            reject(error);
          }),
      );
    });
  }

  #hear(event: EngineEvent): void {
    if (event.kind === "adapter") this.#adapter.value = event.adapter;
    else if (event.kind === "stages") {
      if (this.#status.peek().kind === "loading") this.#status.value = { kind: "loading", stages: event.stages };
    } else this.#fail({ kind: "lost", detail: event.message });
  }

  #take({ adapter, model, sae, isOwnSae }: BenchFacts): void {
    batch(() => {
      this.#adapter.value = adapter;
      this.#model.value = model;
      this.#sae.value = sae;
      this.#isOwnSae.value = isOwnSae;
    });
  }

  #fail(failure: Failure): void {
    if (this.#status.peek().kind === "failed") return;
    this.#status.value = { kind: "failed", failure };
    this.#stop(new Error(failure.detail));
  }

  #stop(reason: Error): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#engine = undefined;
    for (const giveUp of [...this.#pending]) giveUp(reason);
  }

  #ready(): Remote<Engine> {
    if (!this.#engine || this.#status.peek().kind !== "ready") throw notReady();
    return this.#engine;
  }
}

function notReady(): Error {
  return new Error("Expected the engine to be ready but found it otherwise");
}
