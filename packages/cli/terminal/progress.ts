import process from "node:process";
import ora, { type Ora } from "ora";

/** Seconds between lines where there is no terminal to redraw. */
const LINE_SECONDS = 10;

/** One line that says where long work stands: redrawn in place on a terminal, printed now and then into a file. */
export class ProgressLine {
  readonly #spinner: Ora | undefined;
  #printed = 0;

  constructor() {
    if (process.stdout.isTTY) this.#spinner = ora({ stream: process.stdout, discardStdin: false }).start();
  }

  /** Shows how things stand. */
  update(text: string): void {
    if (this.#spinner) this.#spinner.text = text;
    else if (performance.now() - this.#printed > LINE_SECONDS * 1000) {
      this.#printed = performance.now();
      console.log(text);
    }
  }

  /** Prints a line that stays. */
  note(text: string): void {
    if (!this.#spinner) {
      console.log(text);
      return;
    }
    this.#spinner.stop();
    console.log(text);
    this.#spinner.start();
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
