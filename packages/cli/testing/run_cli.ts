import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** How a process ended. */
export interface Ended {
  /** Exit code; null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that runs in a process of its own. */
export interface RunningCli {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Called with each line of standard output from now on. */
  onLine(listener: (line: string) => void): void;
}

/** Starts the command line as `pnpm cli` does. */
export function startCli(args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv } = {}): RunningCli {
  const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], {
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name].on("data", (chunk: Buffer) => (texts[name] += chunk.toString()));
  const lines = createInterface({ input: child.stdout });
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (code) => resolve({ code, stdout: texts.stdout, stderr: withoutDawn(texts.stderr) })),
  );
  return { process: child, ended, onLine: (listener) => lines.on("line", listener) };
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv } = {}): Promise<Ended> {
  return startCli(args, options).ended;
}

/** Dawn tells every process of limits that it lowered. */
function withoutDawn(text: string): string {
  return text.replace(/^Warning: maxDynamic.*\n/gm, "");
}
