import process from "node:process";
import ora, { type Ora } from "ora";

/** Seconds between lines where there is no terminal to redraw. */
const LINE_SECONDS = 10;

/** One line that says where long work stands: redrawn in place on a terminal, printed now and then into a file. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #spinner: Ora | undefined;
  #printed = Number.NEGATIVE_INFINITY;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    // A terminal that has no width yet (some supervisors' are so) cannot tell how many lines to take away.
    const redraws = stream.isTTY && stream.columns > 0 && process.env.TERM !== "dumb" && !process.env.CI;
    if (redraws) this.#spinner = ora({ stream, discardStdin: false, color: process.env.NO_COLOR ? false : "cyan" }).start();
  }

  /** Shows how things stand. */
  update(text: string): void {
    if (this.#spinner) this.#spinner.text = text;
    else if (performance.now() - this.#printed > LINE_SECONDS * 1000) {
      this.#printed = performance.now();
      this.#stream.write(`${text}\n`);
    }
  }

  /** Prints a line that stays. */
  note(text: string): void {
    this.pause(() => this.#stream.write(`${text}\n`));
  }

  /** Takes the line away while something else is printed. */
  pause(print: () => void): void {
    this.#spinner?.stop();
    print();
    this.#spinner?.start();
  }

  /** Ends the line. */
  stop(): void {
    this.#spinner?.stop();
  }
}

/** `1:02:03` or `02:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
}

/** `41k`, `1.2M`. */
export function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  if (value >= 1e4) return `${Math.round(value / 1e3)}k`;
  return value >= 1e3 ? `${(value / 1e3).toFixed(1)}k` : String(Math.round(value));
}

/** `812 B`, `1.4 MB`. */
export function megabytes(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
