import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { currentCommit } from "../packages/cli/run/environment.ts";
import type { Job } from "./engine_main.ts";
import type { EngineCommand } from "./engine_process.ts";
import { oneLine } from "./errors.ts";
import type { BenchOptions, EngineName } from "./options.ts";
import { decodeReply } from "./protocol.ts";

/** An engine in one of its ways, in the place where it was found. */
export interface Entrant {
  readonly engine: EngineName;
  readonly mode: string;
  /** Tells it from others of its name: `pytorch-cpu 1.13 sdpa`. */
  readonly label: string;
  /** Known before it is started. */
  readonly versions: Readonly<Record<string, string>>;
  /** Why it cannot be started at all. */
  readonly unable?: string;
  /** How its process is started; `isNull` for Dawn's null backend, where it is an engine on WebGPU. */
  readonly command: (work: string, options: { readonly isNull: boolean }) => EngineCommand;
  readonly isOnWebGpu: boolean;
}

/** Where the bench's parts are. */
export interface Places {
  /** The peers' manifest and packages. */
  readonly peers: string;
  /** The program that runs an engine of JavaScript: this one. */
  readonly program: string;
}

/** A process of an engine written in JavaScript: this program again, with a job. */
export function engineCommand(job: Omit<Job, "peers">, { program, peers }: Places): EngineCommand {
  return { command: process.execPath, args: [...process.execArgv, program, "engine", JSON.stringify({ ...job, peers })] };
}

/** Everyone who was asked for. `missingPeers` says why the peers' packages are not there, if they are not. */
export async function findEntrants(
  options: BenchOptions,
  about: { readonly places: Places; readonly missingPeers: string | undefined },
): Promise<Entrant[]> {
  const { places, missingPeers } = about;
  const commit = (await currentCommit())?.replace(/^(.{12})[^+]*/, "$1") ?? "unknown"; // with + where files have been changed
  const wantsTorch = options.engines.some(({ engine }) => engine.startsWith("pytorch"));
  const pythons = wantsTorch ? await findTorch(options.pythons, join(places.peers, "torch_step.py")) : [];
  return options.engines.flatMap(({ engine, mode }): Entrant[] => {
    if (engine === "pytorch-cpu" || engine === "pytorch-cuda") return torchEntrants(engine, mode, { pythons, options, places });
    const command: Entrant["command"] = (work, { isNull }) => engineCommand({ engine, mode, case: work, isNull }, places);
    const unable = engine === "cursive" ? undefined : missingPeers;
    const versions = { node: process.version, ...(engine === "cursive" && { cursive: commit }) };
    return [{ engine, mode, label: `${engine} ${mode}`, versions, unable, command, isOnWebGpu: true }];
  });
}

/** A Python with torch, or why one that was asked for has none. */
interface Torch {
  readonly python: string;
  readonly versions?: Readonly<Record<string, string>>;
  readonly cuda?: boolean;
  readonly sdpa?: boolean;
  readonly unable?: string;
}

function torchEntrants(
  engine: "pytorch-cpu" | "pytorch-cuda",
  mode: string,
  about: { readonly pythons: readonly Torch[]; readonly options: BenchOptions; readonly places: Places },
): Entrant[] {
  const { pythons, options, places } = about;
  const device = engine === "pytorch-cuda" ? "cuda" : "cpu";
  const script = join(places.peers, "torch_step.py");
  const threads = String(options.threads);
  const able = pythons.filter(({ unable, cuda, sdpa }) => unable === undefined && (device === "cpu" || cuda) && (mode === "eager" || sdpa));
  const entrants = able.length > 0 ? able : [{ ...pythons[0]!, unable: pythons[0]!.unable ?? lacking(pythons, { device, mode }) }];
  if (able.length === 0 && device === "cuda" && !options.asked) return []; // most machines have no CUDA, and need not be told
  return entrants.map(({ python, versions = {}, unable }) => ({
    engine,
    mode,
    label: [engine, versions.torch?.replace(/^(\d+\.\d+).*/, "$1"), mode].filter(Boolean).join(" "),
    versions,
    unable,
    command: (work) => ({
      command: python,
      args: [script, "--case", work, "--mode", mode, "--device", device, "--threads", threads],
      env: { OMP_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads, MKL_NUM_THREADS: threads, PYTHONUNBUFFERED: "1" },
    }),
    isOnWebGpu: false,
  }));
}

function lacking(pythons: readonly Torch[], { device, mode }: { readonly device: string; readonly mode: string }): string {
  const versions = pythons.map((torch) => `torch ${torch.versions?.torch}`).join(" and ");
  return device === "cuda" && !pythons.some(({ cuda }) => cuda)
    ? `${versions} found no CUDA`
    : `${versions} has no ${mode} attention (PyTorch 2 has)`;
}

/** Pythons that have torch: those asked for, each with its reason if it has none, or the first of the usual ones. */
async function findTorch(asked: readonly string[], script: string): Promise<Torch[]> {
  if (asked.length > 0) return Promise.all(asked.map((python) => probe(python, script)));
  const found = await Promise.all(["python3", "/usr/bin/python3"].map((python) => probe(python, script)));
  return [
    found.find(({ unable }) => unable === undefined) ?? { python: "python3", unable: "no python3 with torch (name one with --python)" },
  ];
}

async function probe(python: string, script: string): Promise<Torch> {
  try {
    const { stdout } = await promisify(execFile)(python, [script, "--probe"], { timeout: 60_000 });
    const reply = decodeReply(stdout.trim().split("\n").at(-1) ?? "") as {
      probe?: { torch: string; blas: string; cuda: boolean; sdpa: boolean };
    };
    if (!reply?.probe) return { python, unable: `${python}: ${oneLine(stdout)}` };
    const { torch, blas, cuda, sdpa } = reply.probe;
    return { python, versions: { torch, blas }, cuda, sdpa };
  } catch (error) {
    const { stdout = "", message } = error as { stdout?: string; message: string };
    const reply = decodeReply(stdout.trim().split("\n").at(-1) ?? "");
    return { python, unable: `${python}: ${reply && "failed" in reply ? reply.failed : oneLine(message)}` };
  }
}
