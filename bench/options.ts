import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { nearest } from "@cursive/tensor";
import { type Case, DEFAULT_CASES, parseCase, QUICK_CASES, suits } from "./cases.ts";
import { WrongUse } from "./errors.ts";

/** An engine's name. */
export type EngineName = "cursive" | "jax-js" | "tfjs-webgpu" | "pytorch-cpu" | "pytorch-cuda";

/** Engines that can be asked for, with the ways each can run. */
export const ENGINES: Readonly<Record<EngineName, readonly string[]>> = {
  cursive: ["captured", "eager", "cached", "recomputed"],
  "jax-js": ["jit"],
  "tfjs-webgpu": ["eager"],
  "pytorch-cpu": ["eager", "sdpa", "compile"],
  "pytorch-cuda": ["eager", "sdpa", "compile"],
};

/** An engine and how it runs. */
export interface EngineMode {
  readonly engine: EngineName;
  readonly mode: string;
}

/** Where Pythons with torch are looked for unless somebody names them. */
export const USUAL_PYTHONS: readonly string[] = ["python3", "python", "/usr/bin/python3", "/usr/local/bin/python3", ".venv/bin/python"];

/** What `pnpm bench` is asked for. */
export interface BenchOptions {
  readonly cases: readonly Case[];
  readonly engines: readonly EngineMode[];
  /** Whether somebody named the engines. */
  readonly asked: boolean;
  readonly repeats: number;
  /** Also measure the time from process start to the first finished step. */
  readonly start: boolean;
  /** File for the rows, or undefined. */
  readonly json: string | undefined;
  /** Pythons to look for torch in; empty for the usual places. */
  readonly pythons: readonly string[];
  readonly threads: number;
  /** Seconds that an engine gets for a case in all. */
  readonly limit: number;
  readonly help: boolean;
}

/** What `--help` prints. */
export const HELP: string = `Usage: pnpm bench [options]

Times this engine beside its peers: in one run, on the same adapter, each in a process of its own, taking turns.

  --cases a,b      default ${DEFAULT_CASES.join(",")}; any sizes will do
  --engines a,b    of ${Object.keys(ENGINES).join(", ")}; one way of running alone as cursive/captured
  --repeats N      turns an engine takes at a case; default 7
  --quick          fewer and smaller: ${QUICK_CASES.join(",")}, 3 turns
  --start          also the time from process start to the first finished step, with an empty shader cache and a filled one:
                   medians of three
  --json FILE      write a line of JSON a row
  --python a,b     Pythons with torch; default $PYTHON, or one for each torch among
                   ${USUAL_PYTHONS.join(", ")}
  --threads N      threads for PyTorch; default the processor's cores
  --limit SECONDS  what an engine gets for a case in all before it is left out; default 600
  --help

Examples:
  pnpm bench --quick
  pnpm bench --cases gpt:4x1000 --engines cursive,pytorch-cpu --python python3,.venv/bin/python
  pnpm bench --cases gpt:8x500,matmul:512 --engines cursive/captured --json rows.jsonl

The first run with peers installs jax-js and TensorFlow.js (100 MB) into bench/peers/node_modules; CURSIVE_NO_DOWNLOAD=1 refuses that.
Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.`;

const FLAGS = {
  cases: { type: "string" },
  engines: { type: "string" },
  repeats: { type: "string" },
  quick: { type: "boolean" },
  start: { type: "boolean" },
  json: { type: "string" },
  python: { type: "string" },
  threads: { type: "string" },
  limit: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** Reads the command line. @throws WrongUse for what cannot be meant. */
export function parseOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): BenchOptions {
  const { values, positionals, tokens } = parseArgs({
    args: args.filter((argument) => argument !== "--"),
    options: FLAGS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === "option" && !(token.name in FLAGS)) {
      throw new WrongUse(`Expected an option but found ${token.rawName}: did you mean --${nearest(token.name, Object.keys(FLAGS), 1)[0]}?`);
    }
    if (token.kind === "option" && FLAGS[token.name as keyof typeof FLAGS].type === "string" && (token.value ?? "") === "") {
      throw new WrongUse(`Expected a value after ${token.rawName} but found none`);
    }
  }
  if (positionals.length > 0)
    throw new WrongUse(`Expected options alone but found ${JSON.stringify(positionals[0])}: did you mean --cases ${positionals[0]}?`);
  const text = (name: keyof typeof FLAGS): string | undefined => values[name] as string | undefined;
  const list = (name: keyof typeof FLAGS): string[] | undefined =>
    text(name)
      ?.split(",")
      .map((part) => part.trim());
  const quick = values.quick === true;
  const engines = (list("engines") ?? Object.keys(ENGINES)).flatMap(parseEngine);
  const cases = (list("cases") ?? (quick ? QUICK_CASES : DEFAULT_CASES)).map(parseCase);
  const able = cases.filter((work) => engines.some((engine) => suits(work, engine)));
  const idle = cases.find((work) => !able.includes(work));
  if (idle && text("cases") !== undefined) throw new WrongUse(`Expected an engine that can do ${idle.name} but found ${text("engines")}`);
  return {
    cases: able.filter(({ name }, i) => able.findIndex((other) => other.name === name) === i),
    engines,
    asked: text("engines") !== undefined,
    repeats: whole(text("repeats"), { name: "--repeats", otherwise: quick ? 3 : 7 }),
    start: values.start === true,
    json: text("json"),
    pythons: list("python") ?? (env.PYTHON ? [env.PYTHON] : []),
    threads: whole(text("threads"), { name: "--threads", otherwise: availableParallelism() }),
    limit: whole(text("limit"), { name: "--limit", otherwise: 600 }),
    help: values.help === true,
  };
}

/** `cursive` for all the ways it runs, `cursive/captured` for one. */
function parseEngine(text: string): EngineMode[] {
  const [name, mode] = text.split("/") as [string, string | undefined];
  if (!Object.hasOwn(ENGINES, name)) {
    throw new WrongUse(`Expected an engine but found ${JSON.stringify(name)}: did you mean ${nearest(name, Object.keys(ENGINES), 1)[0]}?`);
  }
  const engine = name as EngineName;
  const modes = ENGINES[engine];
  if (mode === undefined) return modes.map((each) => ({ engine, mode: each }));
  if (!modes.includes(mode)) {
    throw new WrongUse(`Expected ${modes.map((each) => `${name}/${each}`).join(" or ")} but found ${JSON.stringify(text)}`);
  }
  return [{ engine, mode }];
}

function whole(text: string | undefined, { name, otherwise }: { readonly name: string; readonly otherwise: number }): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new WrongUse(`Expected a whole number from 1 after ${name} but found ${text}`);
  return value;
}
