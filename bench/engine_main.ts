import process from "node:process";
import { createInterface } from "node:readline";
import { settle } from "../packages/tensor/device/gpu_node.ts";
import { parseCase } from "./cases.ts";
import type { Engine, EngineOptions, Work } from "./engines/engine.ts";
import { oneLine } from "./errors.ts";
import { encodeReply, orNull, type Reply, type Request, type Steps } from "./protocol.ts";
import { median } from "./statistics.ts";

/** What a process of an engine is started for. */
export interface Job {
  readonly engine: "cursive" | "jax-js" | "tfjs-webgpu" | "control";
  readonly mode: string;
  readonly case: string;
  /** Run on Dawn's null backend, which computes nothing. */
  readonly isNull: boolean;
  readonly peers: string;
}

/** Each engine's module is loaded only in its own process: loading is part of the time to the first step. */
const engines: { readonly [K in Job["engine"]]: (options: EngineOptions) => Promise<Engine> } = {
  cursive: async (options) => (await import("./engines/cursive.ts")).openCursive(options),
  "jax-js": async (options) => (await import("./engines/jax_js.ts")).openJaxJs(options),
  "tfjs-webgpu": async (options) => (await import("./engines/tfjs.ts")).openTfjs(options),
  control: async (options) => (await import("./engines/control.ts")).openControl(options),
};

/** Steps started in a row where the host's time is measured: few, for eager engines free memory only when they are waited for. */
const HOST_STEPS = 5;

/** The program of an engine's process: takes a first step, says so, and then does what it is asked to until it is told to quit. */
export async function runEngine(job: Job): Promise<void> {
  const reply = (message: Reply): void => {
    process.stdout.write(encodeReply(message));
  };
  try {
    const { openDoor } = await import("./engines/door.ts");
    const door = await openDoor({ isNull: job.isNull });
    const { build, versions } = await engines[job.engine]({ door, mode: job.mode, peers: job.peers });
    const work = await build(parseCase(job.case));
    await work.prepare?.();
    const loss = orNull(await takeStep(work));
    reply({ ready: { adapter: door.adapter, versions, loss, check: orNull(await work.check?.()) } });
    for await (const line of createInterface({ input: process.stdin })) {
      const request = JSON.parse(line) as Request;
      if (request.do === "quit") break;
      if (request.do === "steps") reply({ steps: await takeSteps(work, { count: request.count, door }) });
      if (request.do === "host") reply({ host: { microseconds: await hostMicroseconds(work, request.rounds) } });
    }
    process.exit(0);
  } catch (error) {
    if (process.env.DEBUG) console.error(error);
    process.stdout.write(encodeReply({ failed: oneLine(error) }), () => process.exit(1));
  }
}

/** One step, waited for politely: Dawn spins while it is waited for, which would take a core from a software adapter, whoever's step it is. */
async function takeStep(work: Work): Promise<number> {
  return settle(Promise.resolve(work.start()).then((started) => started.finished()));
}

async function takeSteps(work: Work, { count, door }: { count: number; door: EngineOptions["door"] }): Promise<Steps> {
  let loss = Number.NaN;
  await work.prepare?.();
  const start = performance.now();
  const cpuStart = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    door.reset();
    loss = await takeStep(work);
  }
  const milliseconds = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuStart);
  return { milliseconds, cpuMilliseconds: (user + system) / 1000, loss: orNull(loss), counts: { ...door.counts } };
}

/** Processor time, not wall time: the host computes and waits for nothing, and others on the machine should not count. */
async function hostMicroseconds(work: Work, rounds: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    let last = await work.start();
    for (let i = 1; i < HOST_STEPS; i++) last = await work.start();
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / HOST_STEPS);
    await last.finished();
  }
  return median(times);
}
