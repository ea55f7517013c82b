import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Case, operations } from "./cases.ts";
import type { Entrant } from "./contestants.ts";
import { type EngineCommand, EngineProcess } from "./engine_process.ts";
import { oneLine } from "./errors.ts";
import type { Counted } from "./protocol.ts";
import { figures, type Row } from "./rows.ts";
import { type Contestant, takeTurns } from "./schedule.ts";
import { agree, median } from "./statistics.ts";

/** How a case is measured. */
export interface CaseOptions {
  readonly repeats: number;
  /** Seconds for an engine in all. */
  readonly limit: number;
  readonly start: boolean;
  readonly controls: readonly Contestant[];
  readonly say: (text: string) => void;
  /** Aborted when somebody wants the run to end. */
  readonly signal: AbortSignal;
}

/** What came of a case. */
export interface CaseResult {
  readonly rows: readonly Row[];
  /** Each control's times, by round. */
  readonly controls: readonly (readonly (readonly number[])[])[];
}

/** Steps before the turns: they bring caches and clocks to what they will be, and after them all engines should have come to the same loss. */
const WARM_UP = 2;
/** What a turn should last, so that a clock and a scheduler are small beside it. */
const TURN_MILLISECONDS = 250;
const MOST_STEPS = 200;
/** Rounds in which the host's time is measured: so many that most find JavaScript compiled, as a run of thousands of steps does. */
const HOST_ROUNDS = 60;
/** Starts from cold, and warm ones, of each engine: one may meet a slow moment of the machine. */
const STARTS = 3;
/** Threads of numeric libraries spin for a while after their work: the next one's turn should not pay for that. */
const PAUSE_MILLISECONDS = 60;

/** Measures all entrants at a case: each is brought up in its own process, then they take turns. */
export async function benchCase(work: Case, entrants: readonly Entrant[], options: CaseOptions): Promise<CaseResult> {
  const { say, signal } = options;
  const contestants: Entry[] = [];
  const stopAll = (): void => {
    for (const { process } of contestants) process?.kill();
  };
  signal.addEventListener("abort", stopAll);
  try {
    for (const entrant of entrants) {
      if (signal.aborted) break;
      say(`${work.name}  ${entrant.label}: first step, compiling what it needs`);
      const entry = new Entry(work, entrant, options);
      contestants.push(entry);
      await entry.bringUp();
    }
    const ready = contestants.filter(({ note }) => note === undefined);
    const { times, controls } = await takeTurns(signal.aborted ? [] : ready, {
      rounds: options.repeats,
      controls: options.controls,
      onRound: (round) => say(`${work.name}  turn ${round + 1}/${options.repeats} of ${ready.length} engines`),
    });
    for (const entry of ready) await entry.process?.stop();
    const timesOf = new Map(ready.map((entry, i) => [entry, times[i]!]));
    const reference = contestants.find(({ entrant }) => entrant.engine === "cursive" && /^(captured|cached)$/.test(entrant.mode));
    for (const entry of ready) {
      if (signal.aborted || entry.note !== undefined) continue;
      say(`${work.name}  ${entry.entrant.label}: the host's share`);
      await entry.measureHost();
    }
    for (let turn = 0; turn < (options.start ? STARTS : 0); turn++) {
      for (const entry of ready) {
        if (signal.aborted || entry.note !== undefined) continue;
        say(`${work.name}  ${entry.entrant.label}: start ${turn + 1}/${STARTS}`);
        await entry.measureStart();
      }
    }
    const rows = contestants.map((entry) => entry.row({ times: timesOf.get(entry) ?? [], reference: reference && timesOf.get(reference) }));
    return { rows: checked(rows), controls };
  } finally {
    signal.removeEventListener("abort", stopAll);
    stopAll();
  }
}

/** An engine at a case. */
class Entry implements Contestant {
  readonly entrant: Entrant;
  /** Why it is left out. */
  note: string | undefined;
  process: EngineProcess | undefined;
  readonly #work: Case;
  readonly #options: CaseOptions;
  #left: number;
  #steps = 1;
  #counts: Counted | null = null;
  #result: number | null = null;
  #adapter: string | null = null;
  #versions: Readonly<Record<string, string>>;
  #cpuTimes: number[] = [];
  #host: number | null = null;
  readonly #coldStarts: number[] = [];
  readonly #warmStarts: number[] = [];

  constructor(work: Case, entrant: Entrant, options: CaseOptions) {
    this.entrant = entrant;
    this.#work = work;
    this.#options = options;
    this.#left = options.limit;
    this.#versions = entrant.versions;
    this.note = entrant.unable;
  }

  /** Starts its process, and takes the first steps. */
  async bringUp(): Promise<void> {
    if (this.note !== undefined) return;
    await this.#guarded(async () => {
      this.process = new EngineProcess(this.entrant.command(this.#work.name, { isNull: false }));
      const ready = await this.#timed((limit) => this.process!.ready(limit));
      this.#adapter = ready.adapter;
      this.#versions = { ...this.#versions, ...ready.versions };
      const { milliseconds, loss } = await this.#timed((limit) => this.process!.steps(WARM_UP, limit));
      this.#result = ready.check ?? loss;
      this.#steps = Math.min(MOST_STEPS, Math.max(1, Math.round((TURN_MILLISECONDS * WARM_UP) / milliseconds)));
    });
  }

  async turn(): Promise<number | undefined> {
    if (this.note !== undefined || !this.process) return undefined;
    await sleep(PAUSE_MILLISECONDS);
    return this.#guarded(async () => {
      const { milliseconds, cpuMilliseconds, counts } = await this.#timed((limit) => this.process!.steps(this.#steps, limit));
      this.#counts = counts;
      this.#cpuTimes.push(cpuMilliseconds / this.#steps);
      return milliseconds / this.#steps;
    });
  }

  /** The host's share of a step, on Dawn's null backend. */
  async measureHost(): Promise<void> {
    // Who writes reads logits back after every token, and the wait for them would count.
    if (!this.entrant.isOnWebGpu || this.#work.kind === "token" || this.#work.kind === "write") return;
    try {
      await using engine = new EngineProcess(this.entrant.command(this.#work.name, { isNull: true }));
      await engine.ready({ seconds: this.#options.limit });
      await engine.steps(WARM_UP, { seconds: this.#options.limit });
      this.#host = await engine.host(HOST_ROUNDS, { seconds: this.#options.limit });
    } catch (error) {
      const isFull = /out of memory|failed to allocate/i.test(oneLine(error)); // it holds buffers in a fraction of the machine's memory
      if (!this.#options.signal.aborted)
        this.note = `host's time not measured: ${isFull ? "Dawn's null backend was full" : oneLine(error)}`;
    }
  }

  /** From process start to the first finished step: with an empty shader cache, and with what that leaves in it. */
  async measureStart(): Promise<void> {
    const cache = await mkdtemp(join(tmpdir(), "cursive-bench-"));
    try {
      const command = this.entrant.command(this.#work.name, { isNull: false });
      const caches = ["MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"];
      const env = { ...command.env, ...Object.fromEntries(caches.map((name) => [name, cache])) };
      this.#coldStarts.push(await this.#startOnce({ ...command, env }));
      this.#warmStarts.push(await this.#startOnce({ ...command, env }));
    } catch (error) {
      if (!this.#options.signal.aborted) this.note = `start not measured: ${oneLine(error)}`;
    } finally {
      await rm(cache, { recursive: true, force: true });
    }
  }

  row(about: { readonly times: readonly number[]; readonly reference: readonly number[] | undefined }): Row {
    return {
      case: this.#work.name,
      engine: this.entrant.engine,
      mode: this.entrant.mode,
      label: this.entrant.label,
      ...figures({ ...about, cpuTimes: this.#cpuTimes, operations: operations(this.#work), counts: this.#counts }),
      hostMicroseconds: this.#host,
      startColdMilliseconds: this.#coldStarts.length > 0 ? median(this.#coldStarts) : null,
      startWarmMilliseconds: this.#warmStarts.length > 0 ? median(this.#warmStarts) : null,
      result: this.#result,
      adapter: this.#adapter,
      versions: this.#versions,
      note: this.note ?? null,
    };
  }

  async #startOnce(command: EngineCommand): Promise<number> {
    await using engine = new EngineProcess(command);
    await engine.ready({ seconds: this.#options.limit });
    return performance.now() - engine.started;
  }

  /** What fails leaves the engine out of the case, with the reason. */
  async #guarded<T>(body: () => Promise<T>): Promise<T | undefined> {
    try {
      return await body();
    } catch (error) {
      this.note = this.#options.signal.aborted ? "interrupted" : oneLine(error);
      await this.process?.stop();
      return undefined;
    }
  }

  /** Runs something within the time that is left to this engine. */
  async #timed<T>(body: (limit: { readonly seconds: number }) => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await body({ seconds: Math.max(1, this.#left) });
    } finally {
      this.#left -= (performance.now() - start) / 1000;
    }
  }
}

/** Notes what computed something else than the first engine did: its time says nothing. */
function checked(rows: readonly Row[]): Row[] {
  const reference = rows.find(({ result }) => result !== null);
  return rows.map((row) => {
    if (!reference || row.result === null || agree(row.result, reference.result!)) return row;
    return { ...row, note: `computed ${row.result} where ${reference.label} computed ${reference.result}` };
  });
}
