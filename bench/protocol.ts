/**
 * What the bench and its engines say to each other: a line of JSON each, requests on the engine's standard input, replies on its standard
 * output behind a mark, for libraries print there too.
 */

/** What the bench asks of an engine. */
export type Request =
  /** Take so many steps, each waited for. */
  | { readonly do: "steps"; readonly count: number }
  /** Take so many rounds of steps that are started but not waited for one by one. */
  | { readonly do: "host"; readonly rounds: number }
  | { readonly do: "quit" };

/** What an engine says after its first step: what it is, and what came out. */
export interface Ready {
  readonly adapter: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly loss: number | null;
  /** Stands for the result where there is no loss. */
  readonly check: number | null;
}

/** Steps that were taken. */
export interface Steps {
  readonly milliseconds: number;
  /** Of all cores, in the engine's process: what a software adapter computes counts, what waits does not. */
  readonly cpuMilliseconds: number;
  /** Of the last step. */
  readonly loss: number | null;
  /** Calls to WebGPU in the last step, where the engine makes any. */
  readonly counts: Counted | null;
}

/** Calls to WebGPU. */
export interface Counted {
  readonly dispatches: number;
  readonly submits: number;
  readonly buffers: number;
  readonly bindGroups: number;
  readonly pipelines: number;
}

/** What an engine replies. */
export type Reply =
  | { readonly ready: Ready }
  | { readonly steps: Steps }
  /** Processor time that starting a step takes: the median of rounds. */
  | { readonly host: { readonly microseconds: number } }
  | { readonly failed: string };

const MARK = "@bench ";

/** A request as a line. */
export function encodeRequest(request: Request): string {
  return `${JSON.stringify(request)}\n`;
}

/** A reply as a line. */
export function encodeReply(reply: Reply): string {
  return `${MARK}${JSON.stringify(reply)}\n`;
}

/** The reply in a line of an engine's output, or undefined if it is something else. */
export function decodeReply(line: string): Reply | undefined {
  if (!line.startsWith(MARK)) return undefined;
  try {
    return JSON.parse(line.slice(MARK.length)) as Reply;
  } catch {
    return { failed: `Expected a reply but found ${JSON.stringify(line)}` };
  }
}

/** NaN stands for "none", and JSON has no NaN. */
export function orNull(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}
