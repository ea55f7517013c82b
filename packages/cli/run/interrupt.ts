import process from "node:process";
import { Interrupted } from "../errors.ts";

/** How long work is asked to stop. */
export interface Interruption {
  /** Aborted, with {@link Interrupted} for a reason, once someone wants the process to end. */
  readonly signal: AbortSignal;
  /** Leaves signals to the system again. */
  stop(): void;
}

const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Signals that follow one another so closely, in milliseconds, are one: whoever signals a whole process group reaches this process, and its
 * parent, which passes the signal on.
 */
const ECHO = 250;

/** Ctrl-C once: `signal` is aborted, so that work can be saved. Twice: the process ends at once. */
export function listenForInterrupt(say: (text: string) => void): Interruption {
  const controller = new AbortController();
  let first = 0;
  const handlers = Object.entries(codes).map(([name, exitCode]) => {
    const onSignal = (): void => {
      if (controller.signal.aborted) {
        if (performance.now() - first > ECHO) process.exit(exitCode);
      } else {
        first = performance.now();
        say("interrupted: saving (once more to leave at once)");
        controller.abort(new Interrupted("interrupted", { exitCode }));
      }
    };
    process.on(name, onSignal);
    return { name, onSignal };
  });
  return {
    signal: controller.signal,
    stop: () => {
      for (const { name, onSignal } of handlers) process.off(name, onSignal);
    },
  };
}
