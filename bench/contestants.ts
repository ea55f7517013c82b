import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { currentCommit } from "../packages/cli/run/environment.ts";
import type { Job } from "./engine_main.ts";
import type { EngineCommand } from "./engine_process.ts";
import { oneLine } from "./errors.ts";
import { type BenchOptions, type EngineName, USUAL_PYTHONS } from "./options.ts";
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

/**
 * Everyone who was asked for; PyTorch once for each version found. `missingPeers` says why the peers' packages are not there, if they are not;
 * `usualPythons` is where torch is looked for if nobody has named a Python.
 */
export async function findEntrants(
  options: BenchOptions,
  about: { readonly places: Places; readonly missingPeers: string | undefined; readonly usualPythons?: readonly string[] },
): Promise<Entrant[]> {
  const { places, missingPeers, usualPythons = USUAL_PYTHONS } = about;
  const commit = (await currentCommit())?.replace(/^(.{12})[^+]*/, "$1") ?? "unknown"; // with + where files have been changed
  const wantsTorch = options.engines.some(({ engine }) => engine.startsWith("pytorch"));
  const pythons = wantsTorch ? await findTorch(options.pythons, { script: join(places.peers, "torch_step.py"), usualPythons }) : [];
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
  /** Ways in which it can run. */
  readonly modes?: readonly string[];
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
  const able = pythons.filter(({ unable, cuda, modes }) => unable === undefined && (device === "cpu" || cuda) && modes!.includes(mode));
  const other = pythons.find(({ unable }) => unable === undefined);
  const entrants = able.length > 0 ? able : [other ? { ...other, unable: lacking(pythons, { device, mode }) } : pythons[0]!];
  if (able.length === 0 && device === "cuda" && !options.asked) return []; // most machines have no CUDA, and need not be told
  return entrants.map(({ python, versions = {}, unable }) => ({
    engine,
    mode,
    label: [engine, shortVersion(versions.torch, pythons), mode].filter(Boolean).join(" "),
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

/** Major and minor number where that tells it from the others. */
function shortVersion(version: string | undefined, pythons: readonly Torch[]): string | undefined {
  const shorten = (text: string | undefined): string | undefined => text?.replace(/^(\d+\.\d+).*/, "$1");
  const others = pythons.map(({ versions }) => versions?.torch).filter((other) => other !== version);
  return others.map(shorten).includes(shorten(version)) ? version : shorten(version);
}

function lacking(pythons: readonly Torch[], { device, mode }: { readonly device: string; readonly mode: string }): string {
  const able = pythons.filter(({ unable }) => unable === undefined);
  const versions = able.map((torch) => `torch ${torch.versions?.torch}`).join(" and ");
  return device === "cuda" && !able.some(({ cuda }) => cuda)
    ? `${versions} found no CUDA`
    : `${versions} cannot run in mode ${mode} (PyTorch 2 can)`;
}

/** Pythons that have torch: those asked for, each with its reason if it has none, or one of the usual ones for each version. */
async function findTorch(
  asked: readonly string[],
  { script, usualPythons }: { readonly script: string; readonly usualPythons: readonly string[] },
): Promise<Torch[]> {
  if (asked.length > 0) return Promise.all(asked.map((python) => probe(python, script)));
  const all = await Promise.all(usualPythons.map((python) => probe(python, script)));
  const found = all.filter(({ unable }) => unable === undefined);
  const distinct = found.filter(({ versions }, i) => found.findIndex((other) => other.versions?.torch === versions?.torch) === i);
  return distinct.length > 0 ? distinct : [{ python: "python3", unable: "no python3 with torch (name one with --python)" }];
}

async function probe(python: string, script: string): Promise<Torch> {
  try {
    const { stdout } = await promisify(execFile)(python, [script, "--probe"], { timeout: 60_000 });
    const reply = decodeReply(stdout.trim().split("\n").at(-1) ?? "") as {
      probe?: { torch: string; blas: string; cuda: boolean; modes: readonly string[] };
    };
    if (!reply?.probe) return { python, unable: `${python}: ${oneLine(stdout)}` };
    const { torch, blas, cuda, modes } = reply.probe;
    return { python, versions: { torch, blas }, cuda, modes };
  } catch (error) {
    const { stdout = "", message } = error as { stdout?: string; message: string };
    const reply = decodeReply(stdout.trim().split("\n").at(-1) ?? "");
    return { python, unable: `${python}: ${reply && "failed" in reply ? reply.failed : oneLine(message)}` };
  }
}
