import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Unable } from "./errors.ts";
import { decodeReply, encodeRequest, type Ready, type Reply, type Request, type Steps } from "./protocol.ts";

/** How an engine's process is started. */
export interface EngineCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * An engine in a process of its own, so that none can disturb another: spoken to by lines, one request at a time.
 *
 * @example
 * ```ts
 * await using engine = new EngineProcess({ command: "node", args: ["engine.js"] });
 * await engine.ready({ seconds: 60 });
 * const { milliseconds } = await engine.steps(10, { seconds: 60 });
 * ```
 */
export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #replies: Reply[] = [];
  readonly #exited: Promise<void>;
  #said: string[] = [];
  #ended: string | undefined;
  #wake: () => void = () => {};
  /** When it was started, as `performance.now()` has it. */
  readonly started: number = performance.now();

  constructor({ command, args, env }: EngineCommand) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdin!.on("error", () => {}); // its end is told by `exit`
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => this.#hear(line));
    }
    this.#exited = new Promise((resolve) => {
      this.#child.on("error", (error) => {
        this.#end(error.message);
        resolve();
      });
      this.#child.on("close", (code, signal) => {
        // After an error come its stack and Node's version, before it the line it is from.
        const last = this.#said.findLast((line) => /^(\w*Error|Uncaught)\b/.test(line)) ?? this.#said.at(-1);
        this.#end(last ?? `it ended with ${signal ?? `exit code ${code}`}`);
        resolve();
      });
    });
  }

  /** Waits until the first step is done. @throws Unable if that fails or takes longer. */
  async ready(limit: { readonly seconds: number }): Promise<Ready> {
    const reply = await this.#next(limit);
    if (!("ready" in reply)) throw new Unable(`Expected to hear of a first step but found ${JSON.stringify(reply)}`);
    return reply.ready;
  }

  /** Takes steps. @throws Unable if that fails or takes longer. */
  async steps(count: number, limit: { readonly seconds: number }): Promise<Steps> {
    const reply = await this.#ask({ do: "steps", count }, limit);
    if (!("steps" in reply)) throw new Unable(`Expected to hear of steps but found ${JSON.stringify(reply)}`);
    return reply.steps;
  }

  /** Microseconds of processor time that the host takes to start a step. @throws Unable if that fails or takes longer. */
  async host(rounds: number, limit: { readonly seconds: number }): Promise<number> {
    const reply = await this.#ask({ do: "host", rounds }, limit);
    if (!("host" in reply)) throw new Unable(`Expected to hear of the host's time but found ${JSON.stringify(reply)}`);
    return reply.host.microseconds;
  }

  /** Ends the process: asks it to, and insists after a second. */
  async stop(): Promise<void> {
    if (this.#ended === undefined) this.#child.stdin!.end(encodeRequest({ do: "quit" }));
    const insist = setTimeout(() => this.kill(), 1000);
    await this.#exited;
    clearTimeout(insist);
  }

  /** Ends the process at once. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #ask(request: Request, limit: { readonly seconds: number }): Promise<Reply> {
    this.#child.stdin!.write(encodeRequest(request));
    return this.#next(limit);
  }

  async #next({ seconds }: { readonly seconds: number }): Promise<Reply> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, 1000 * seconds);
    try {
      while (this.#replies.length === 0) {
        if (this.#ended !== undefined) throw new Unable(this.#ended);
        if (late) {
          this.kill();
          throw new Unable(`not within ${Math.round(seconds)} s`);
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
    const reply = this.#replies.shift()!;
    if ("failed" in reply) throw new Unable(reply.failed);
    return reply;
  }

  #hear(line: string): void {
    const reply = decodeReply(line);
    if (reply) this.#replies.push(reply);
    else if (line.trim() && !line.startsWith("Warning: ")) this.#said = [...this.#said.slice(-49), line.trim()];
    this.#wake();
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#wake();
  }
}
