import { type Device, DeviceLostError, openDevice } from "@cursive/tensor";
import type { RunEntry, SavedRuns } from "./saved_runs.ts";
import { stepsOf, type TrainConfig } from "./train_config.ts";
import { explainTrainFailure, type TrainFailure } from "./train_failure.ts";
import { readRunFile, type Tuning } from "./train_file.ts";
import { type Look, NotFiniteError, resumeSession, type SessionSources, startSession, type TrainSession } from "./train_session.ts";

/** How a run stands, as plain data. */
export interface TrainStatus {
  readonly state: "idle" | "opening" | "paused" | "running" | "finished" | "failed";
  /** What it is doing before the first step. */
  readonly stage?: string;
  readonly run?: {
    readonly id: string;
    readonly config: TrainConfig;
    readonly step: number;
    readonly steps: number;
    readonly tokensPerStep: number;
    /** Of the latest steps; undefined before there are any. */
    readonly tokensPerSecond?: number;
    readonly tuning: Tuning;
    /** {@link TrainSession.rate}. */
    readonly rate: number;
    /** {@link TrainSession.sparsityScale}. */
    readonly sparsityScale?: number;
    readonly lines: readonly string[];
    readonly adapter: string;
    readonly columns: readonly string[];
    /** The step that was saved last. */
    readonly savedStep?: number;
    readonly savedAt?: number;
  };
  /** What a person should know: why a run stopped, or that it cannot be saved. */
  readonly failure?: TrainFailure;
}

/** What the host tells the page. */
export type TrainEvent =
  | { readonly type: "status"; readonly status: TrainStatus }
  /** Rows of the curves from one on; `from: 0` begins anew. */
  | { readonly type: "points"; readonly from: number; readonly rows: readonly (readonly number[])[] }
  | { readonly type: "look"; readonly look: Look }
  | { readonly type: "runs"; readonly runs: readonly RunEntry[] };

/** Options of {@link TrainHost}. */
export interface TrainHostOptions {
  readonly runs: SavedRuns;
  readonly tell: (event: TrainEvent) => void;
  /** Opens a GPU for a run. Default: the engine's way. */
  readonly open?: () => Promise<Device>;
  /** Time between two savings of a run as it goes. Default 20,000. */
  readonly saveEveryMs?: number;
  /** Keeps a run to this host. Gives what lets it go, and undefined where somebody else has it. */
  readonly lock?: (id: string) => Promise<(() => void) | undefined>;
}

/** Time between two messages about steps. */
const TELL_MS = 100;
/** Time between two looks at features: they are cheap, but not free. */
const LOOK_MS = 500;
/** How often a lost device is replaced in a row, with no step saved between. */
const MOST_RECOVERIES = 3;

/**
 * Trains one run at a time, on a device of its own: start, pause, single steps, savings to the browser and to files, recovery from a lost
 * device. What happens is told in events. It knows no DOM, so that all of it can be tested in Node.
 */
export class TrainHost {
  readonly #runs: SavedRuns;
  readonly #tell: (event: TrainEvent) => void;
  readonly #open: () => Promise<Device>;
  readonly #saveEveryMs: number;
  readonly #lock: NonNullable<TrainHostOptions["lock"]>;

  #device: Device | undefined;
  #release: (() => void) | undefined;
  #session: TrainSession | undefined;
  #id = "";
  #startedAt = 0;
  #saved: { readonly step: number; readonly at: number } | undefined;
  #failure: TrainFailure | undefined;
  #feature: number | undefined;
  #recoveries = 0;

  #state: TrainStatus["state"] = "idle";
  #stage: string | undefined;
  #playing = false;
  #driving: Promise<void> | undefined;
  /** What opens or leaves a run, one after another: a second start must not close the device of the first one half-way. */
  #turn: Promise<void> = Promise.resolve();
  /** What is to be done between steps, and the steps under way. */
  #tasks: (() => Promise<void>)[] = [];
  #stretch: AbortController | undefined;
  #told = 0;
  #toldAt = 0;
  #lookedAt = 0;

  constructor({ runs, tell, open = openDevice, saveEveryMs = 20_000, lock = async () => () => {} }: TrainHostOptions) {
    this.#lock = lock;
    this.#runs = runs;
    this.#tell = tell;
    this.#open = open;
    this.#saveEveryMs = saveEveryMs;
  }

  /** Tells of all saved runs. */
  async list(): Promise<void> {
    this.#tell({ type: "runs", runs: await this.#runs.list() });
  }

  /** Begins a run; it waits to be played. */
  start(config: TrainConfig, sources: Omit<SessionSources, "onStage"> = {}): Promise<void> {
    return this.#enter(newId(), () => startSession(config, { ...sources, onStage: (text) => this.#onStage(text) }), config);
  }

  /** Opens a saved run. */
  open(id: string): Promise<void> {
    return this.#enter(id, () => this.#resumed(id));
  }

  /** Opens a run out of a file, as a run of its own. */
  openFile(bytes: Uint8Array): Promise<void> {
    return this.#enter(newId(), async () => resumeSession(await readRunFile(bytes), { onStage: (text) => this.#onStage(text) }));
  }

  /** Goes on until the end, or until it is told to pause. */
  play(): void {
    if (!this.#session || this.#isDone()) return;
    this.#playing = true;
    this.#failure = undefined;
    this.#drive();
  }

  /** Stops after the steps under way, and saves. */
  async pause(): Promise<void> {
    this.#playing = false;
    this.#stretch?.abort();
    await this.#driving;
  }

  /** Takes one step, with a look at what came of it. */
  async step(): Promise<void> {
    await this.pause();
    await this.#between(async () => {
      const session = this.#session;
      if (!session || this.#isDone()) return;
      if (this.#failure?.kind !== "storage") this.#failure = undefined;
      await this.#advance(session, session.step + 1);
      await this.#look();
    });
    await this.#driving; // it is saved too
  }

  /** Saves the run and leaves it. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      await this.pause();
      this.#close();
      this.#say("idle");
    });
  }

  /** Multiplies rate and sparsity coefficient from the next step on. */
  tune(tuning: Tuning): void {
    const session = this.#session;
    if (!session) return;
    session.tune(tuning);
    if (this.#saved) this.#saved = { ...this.#saved, step: Math.min(this.#saved.step, session.step - 1) };
    this.#sayAgain();
    if (!this.#playing) this.#drive(); // to save it
  }

  /** Watches another feature. */
  watch(feature: number): Promise<void> {
    this.#feature = feature;
    return this.#between(() => this.#look());
  }

  /** Saves now. */
  async save(): Promise<void> {
    await this.#between(() => this.#save());
  }

  /** The run as a file that {@link openFile} takes. */
  saveFile(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#answer((session) => session.save());
  }

  /** What was trained, as a file that the other pages open. */
  exportWeights(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#answer((session) => session.exportWeights());
  }

  /** Deletes a saved run; one that is open is left first, unsaved. */
  remove(id: string): Promise<void> {
    return this.#inTurn(async () => {
      if (id === this.#id) {
        this.#playing = false;
        this.#stretch?.abort();
        this.#saved = { step: Number.POSITIVE_INFINITY, at: 0 }; // nothing of it is to be saved any more
        await this.#driving;
        this.#close();
        this.#say("idle");
      }
      await this.#runs.remove(id);
      await this.list();
    });
  }

  #enter(id: string, make: () => Promise<TrainSession>, config?: TrainConfig): Promise<void> {
    return this.#inTurn(async () => {
      await this.pause();
      this.#close();
      this.#failure = undefined;
      this.#say("opening");
      try {
        await this.#take(id, make);
        await this.#save();
        if (this.#session!.step > 0) await this.#look();
        this.#settle();
      } catch (error) {
        this.#fail(error, config);
      }
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => {});
    return run;
  }

  /** Opens a device and what trains on it. */
  async #take(id: string, make: () => Promise<TrainSession>): Promise<void> {
    this.#release = await this.#lock(id);
    if (!this.#release) throw new RangeError("Expected a run that is open nowhere else but found it open in another tab: close it there");
    const device = await this.#open();
    this.#device = device;
    device.lost.then(() => this.#onLost(device));
    this.#id = id;
    this.#startedAt = Date.now();
    this.#session = await make();
    this.#stage = undefined;
    this.#told = 0;
    this.#flush();
  }

  #resumed(id: string): Promise<TrainSession> {
    return this.#runs.open(id, async (bytes) => {
      const session = await resumeSession(await readRunFile(bytes), { onStage: (text) => this.#onStage(text) });
      this.#saved = { step: session.step, at: Date.now() };
      return session;
    });
  }

  /** Steps, looks and savings until there is nothing left to do. */
  #drive(): void {
    this.#driving ??= this.#work().finally(() => {
      this.#driving = undefined;
      if (this.#tasks.length > 0) this.#drive();
    });
  }

  async #work(): Promise<void> {
    try {
      for (;;) {
        for (let task = this.#tasks.shift(); task; task = this.#tasks.shift()) await task();
        const session = this.#session;
        if (session && this.#playing && !this.#isDone()) await this.#goOn(session);
        else {
          await this.#save();
          if (this.#tasks.length === 0 && !(this.#playing && this.#session && !this.#isDone())) break;
        }
      }
      this.#playing = false;
      this.#settle();
    } catch (error) {
      await this.#onError(error);
    }
  }

  /** Steps up to what is to be seen next. */
  async #goOn(session: TrainSession): Promise<void> {
    this.#say("running");
    const due = session.nextLook();
    await this.#advance(session, Math.min(due, stepsOf(session.config)));
    const isSeen = session.config.kind === "model" || performance.now() - this.#lookedAt > LOOK_MS;
    if ((session.step === due && isSeen) || this.#isDone()) await this.#look();
    if (this.#isSaveDue()) await this.#save();
  }

  async #advance(session: TrainSession, until: number): Promise<void> {
    this.#stretch = new AbortController();
    for await (const _ of session.run({ until, signal: this.#stretch.signal })) {
      this.#stage = undefined;
      if (performance.now() - this.#toldAt > TELL_MS) this.#flush();
      if (this.#tasks.length > 0 || this.#isSaveDue()) this.#stretch.abort();
    }
    this.#flush();
  }

  async #look(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const look = await session.look({ feature: this.#feature });
    if (look.kind === "sae") this.#feature ??= look.feature.index; // another may have been asked for meanwhile
    this.#lookedAt = performance.now();
    this.#flush(); // the loss on held-out words has come
    this.#tell({ type: "look", look });
  }

  #isSaveDue(): boolean {
    return this.#saved !== undefined && this.#saved.step < (this.#session?.step ?? 0) && Date.now() - this.#saved.at > this.#saveEveryMs;
  }

  /** Saves in the browser, if anything is new. That it cannot be saved does not stop a run. */
  async #save(): Promise<void> {
    const session = this.#session;
    if (!session || (this.#saved && this.#saved.step >= session.step)) return;
    const { config, step } = session;
    const bytes = await session.save();
    try {
      await this.#runs.save(this.#id, { config, step, steps: stepsOf(config), startedAt: this.#startedAt }, bytes);
      this.#recoveries = 0;
      if (this.#failure?.kind === "storage") this.#failure = undefined;
    } catch (error) {
      this.#failure = { ...explainTrainFailure(error, { config }), kind: "storage" }; // whatever keeps it from being saved
    }
    this.#saved = { step: this.#failure?.kind === "storage" ? -1 : step, at: Date.now() };
    this.#sayAgain();
    await this.list();
  }

  /** Does something between steps, whether they go on or not. */
  async #between(work: () => Promise<void>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#tasks.push(() => work().then(resolve, (error) => this.#onTaskError(error, reject)));
      this.#stretch?.abort();
      this.#drive();
    });
  }

  async #answer<T>(ask: (session: TrainSession) => Promise<T>): Promise<T> {
    let answer: T | undefined;
    await this.#between(async () => {
      if (!this.#session) throw new RangeError("Expected a run but found none: start one first");
      answer = await ask(this.#session);
    });
    return answer!;
  }

  /** Whoever asked hears of it, and the page says it; what ends a run is the run's matter too. */
  async #onTaskError(error: unknown, reject: (error: unknown) => void): Promise<void> {
    reject(error);
    if (error instanceof DeviceLostError || error instanceof NotFiniteError) throw error;
    const session = this.#session;
    if (!session) return;
    this.#failure = explainTrainFailure(error, { config: session.config, savedStep: this.#saved?.step });
    this.#sayAgain();
  }

  async #onError(error: unknown): Promise<void> {
    const wasPlaying = this.#playing;
    if (error instanceof DeviceLostError && this.#recoveries < MOST_RECOVERIES) await this.#recover(wasPlaying);
    else {
      this.#playing = false;
      this.#fail(error);
    }
  }

  /** A device that goes while nothing runs is replaced at once, so that the page is never dead. */
  #onLost(device: Device): void {
    if (device !== this.#device || this.#driving || !this.#session) return;
    this.#driving = this.#recover(false).finally(() => {
      this.#driving = undefined;
    });
  }

  /** Another device, and the run from where it was saved. */
  async #recover(play: boolean): Promise<void> {
    const lost = this.#session?.step ?? 0;
    this.#recoveries++;
    const id = this.#id;
    this.#close();
    this.#say("opening");
    try {
      await this.#take(id, () => this.#resumed(id));
      const { step } = this.#session!;
      const text = `The GPU was lost at step ${lost.toLocaleString("en")}. The run goes on from step ${step.toLocaleString("en")}, which was saved.`;
      this.#failure = { kind: "lost", text };
      this.#playing = play;
      if (play) return await this.#work();
      this.#settle();
    } catch (error) {
      this.#playing = false;
      this.#fail(error);
    }
  }

  /** Leaves a run that cannot go on; what is saved of it can be opened again. */
  #fail(error: unknown, config: TrainConfig | undefined = this.#session?.config): void {
    this.#failure = explainTrainFailure(error, { config, savedStep: this.#saved?.step, id: this.#id });
    this.#close();
    this.#say("failed");
  }

  #close(): void {
    this.#session?.close();
    this.#session = undefined;
    const device = this.#device;
    this.#device = undefined; // before its loss is heard of
    device?.destroy();
    this.#release?.();
    this.#release = undefined;
    this.#saved = undefined;
    this.#feature = undefined;
    this.#stage = undefined;
    this.#id = "";
  }

  #isDone(): boolean {
    return !!this.#session && this.#session.step >= stepsOf(this.#session.config);
  }

  #settle(): void {
    this.#say(!this.#session ? "idle" : this.#isDone() ? "finished" : "paused");
  }

  #onStage(text: string): void {
    this.#stage = text;
    this.#sayAgain();
  }

  #say(state: TrainStatus["state"]): void {
    this.#state = state;
    this.#sayAgain();
  }

  #sayAgain(): void {
    const session = this.#session;
    this.#tell({
      type: "status",
      status: {
        state: this.#state,
        ...(this.#stage !== undefined && { stage: this.#stage }),
        ...(this.#failure && { failure: this.#failure }),
        ...(session && {
          run: {
            id: this.#id,
            config: session.config,
            step: session.step,
            steps: stepsOf(session.config),
            tokensPerStep: session.tokensPerStep,
            tokensPerSecond: tokensPerSecond(session),
            tuning: session.tuning,
            rate: session.rate,
            sparsityScale: session.sparsityScale,
            lines: session.lines,
            adapter: this.#device?.name ?? "",
            columns: session.history.columns,
            ...(this.#saved && Number.isFinite(this.#saved.step) && { savedStep: this.#saved.step, savedAt: this.#saved.at }),
          },
        }),
      },
    });
  }

  /** Tells of the steps since the last time; of the last one again, as its held-out loss may have come. */
  #flush(): void {
    const session = this.#session;
    if (!session) return;
    this.#toldAt = performance.now();
    const from = Math.max(0, this.#told - 1);
    this.#tell({ type: "points", from: this.#told === 0 ? 0 : from, rows: session.history.since(this.#told === 0 ? 0 : from) });
    this.#told = session.history.length;
    this.#sayAgain();
  }
}

/** By the median time of the latest steps: the first ones compile shaders. */
function tokensPerSecond({ history, tokensPerStep }: TrainSession): number | undefined {
  const at = history.columns.indexOf("milliseconds");
  const times = history
    .since(Math.max(0, history.length - 50))
    .map((row) => row[at]!)
    .filter((ms) => ms > 0)
    .sort((a, b) => a - b);
  const median = times[times.length >> 1];
  return median === undefined ? undefined : (1000 * tokensPerStep) / median;
}

function newId(): string {
  return `run-${Date.now().toString(36)}-${Math.floor(Math.random() * 36 ** 3).toString(36)}`;
}
