import process from "node:process";
import { ProgressLine } from "./progress.ts";

/** How a command speaks. */
export interface OutputOptions {
  /** One JSON object a line on standard output, for programs; what people read goes to standard error. */
  readonly json?: boolean;
  /** Nothing for people but errors. */
  readonly quiet?: boolean;
}

/** Where a command says things: to people, and with `--json` to programs. */
export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly #people: NodeJS.WriteStream;
  #line: ProgressLine | undefined;

  constructor(options: OutputOptions = {}) {
    this.json = options.json ?? false;
    this.quiet = options.quiet ?? false;
    this.#people = this.json ? process.stderr : process.stdout;
  }

  /** A line for people. */
  say(text: string): void {
    if (this.quiet) return;
    if (this.#line) this.#line.note(text);
    else this.#people.write(`${text}\n`);
  }

  /** A line that people should see even if they asked for quiet. */
  warn(text: string): void {
    if (this.#line) this.#line.pause(() => process.stderr.write(`${text}\n`));
    else process.stderr.write(`${text}\n`);
  }

  /** What a command was asked for: JSON for programs with `--json`, else text for people, on standard output even if they asked for quiet. */
  result(value: unknown, text: string): void {
    process.stdout.write(this.json ? `${JSON.stringify(value)}\n` : `${text}\n`);
  }

  /** Something that happened, for programs. */
  event(name: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.json) process.stdout.write(`${JSON.stringify({ event: name, ...fields })}\n`);
  }

  /** Where long work stands: redrawn in place on a terminal, printed now and then elsewhere. */
  progress(text: string): void {
    if (this.quiet) return;
    this.#line ??= new ProgressLine(this.#people);
    this.#line.update(text);
  }

  /** Ends the line of {@link progress}. */
  endProgress(): void {
    this.#line?.stop();
    this.#line = undefined;
  }
}
