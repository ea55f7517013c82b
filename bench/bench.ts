import { cpus, release, totalmem } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Output } from "../packages/cli/terminal/output.ts";
import { benchCase } from "./bench_case.ts";
import { suits } from "./cases.ts";
import { engineCommand, findEntrants, type Places } from "./contestants.ts";
import { EngineProcess } from "./engine_process.ts";
import { oneLine, WrongUse } from "./errors.ts";
import { installPeers } from "./install_peers.ts";
import { type BenchOptions, HELP, parseOptions } from "./options.ts";
import { caseTable, controlLine } from "./report.ts";
import { type Row, writeRows } from "./rows.ts";
import type { Contestant } from "./schedule.ts";
import { median, movement } from "./statistics.ts";

/** `pnpm bench`. Gives the exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted. */
export async function bench(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args, process.env);
    if (options.help) {
      console.log(HELP);
      return 0;
    }
    return await run(options);
  } catch (error) {
    console.error(`error: ${oneLine(error)}`);
    if (process.env.DEBUG) console.error(error);
    return error instanceof WrongUse ? 2 : 1;
  }
}

async function run(options: BenchOptions): Promise<number> {
  const output = new Output();
  const controller = new AbortController();
  const onInterrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", onInterrupt);
  const places: Places = { peers: fileURLToPath(new URL("../bench/peers", import.meta.url)), program: process.argv[1]! };
  const needsPeers = options.engines.some(({ engine }) => engine === "jax-js" || engine === "tfjs-webgpu");
  const missingPeers = needsPeers ? await installPeers(places.peers, (text) => output.say(text)) : undefined;
  const entrants = await findEntrants(options, { places, missingPeers });
  const rows: Row[] = [];
  const controls = [new Control("cpu", places), new Control("gpu", places)];
  try {
    for (const control of controls) await control.open();
    output.say(machine(controls[1]!.adapter));
    for (const work of options.cases) {
      if (controller.signal.aborted) break;
      const suitable = entrants.filter((entrant) => suits(work, entrant));
      const result = await benchCase(work, suitable, {
        ...options,
        controls,
        say: (text) => output.progress(text),
        signal: controller.signal,
      });
      const medians = result.controls.map(controlTimes);
      const moved = Object.fromEntries(controls.map(({ name }, i) => [name, movement(medians[i]!)]));
      rows.push(...result.rows, ...controls.map((control, i) => control.row(work.name, medians[i]!)));
      output.say(`\n${caseTable(work, result.rows)}\n${controlLine(moved)}`);
      if (options.json !== undefined) await writeRows(options.json, rows);
    }
  } catch (error) {
    if (!controller.signal.aborted) throw error; // Ctrl-C reaches the engines as well, in the middle of whatever they do
  } finally {
    output.endProgress();
    process.off("SIGINT", onInterrupt);
    for (const control of controls) await control.close();
  }
  return controller.signal.aborted ? 130 : 0;
}

/** Always the same work, on the processor or on the GPU. */
class Control implements Contestant {
  readonly name: "cpu" | "gpu";
  adapter = "";
  readonly #process: EngineProcess;

  constructor(name: "cpu" | "gpu", places: Places) {
    this.name = name;
    this.#process = new EngineProcess(engineCommand({ engine: "control", mode: name, case: "matmul:1", isNull: false }, places));
  }

  async open(): Promise<void> {
    this.adapter = (await this.#process.ready({ seconds: 60 })).adapter;
    await this.#process.steps(3, { seconds: 60 });
  }

  async turn(): Promise<number> {
    return (await this.#process.steps(1, { seconds: 60 })).milliseconds;
  }

  close(): Promise<void> {
    return this.#process.stop();
  }

  row(work: string, times: readonly number[]): Row {
    const ms = times.length > 0 ? median(times) : null;
    return {
      case: work,
      engine: "control",
      mode: this.name,
      label: `control ${this.name}`,
      ms,
      min: ms === null ? null : Math.min(...times),
      max: ms === null ? null : Math.max(...times),
      cpuMs: null,
      repeats: times.length,
      ratio: null,
      gflops: null,
      dispatches: null,
      submits: null,
      buffers: null,
      bindGroups: null,
      hostMicroseconds: null,
      startColdMilliseconds: null,
      startWarmMilliseconds: null,
      result: null,
      adapter: this.name === "gpu" ? this.adapter : null,
      versions: {},
      note: null,
    };
  }
}

/** A control's time in each round; in all its turns, where there are too few rounds to see anything move. */
function controlTimes(byRound: readonly (readonly number[])[]): readonly number[] {
  const rounds = byRound.filter((times) => times.length > 0);
  return rounds.length < 3 ? rounds.flat() : rounds.map(median);
}

/** Where the run takes place. */
function machine(adapter: string): string {
  const all = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${adapter}\n${all[0]?.model.trim() ?? "unknown processor"}, ${all.length} cores, ${memory} GiB; ${process.platform} ${release()}, Node ${process.version}; ${new Date().toISOString().slice(0, 10)}`;
}
