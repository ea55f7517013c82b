// Runs a command in place of this process, as far as Node can: same terminal, same signals, same exit code. Only what Dawn says on standard
// error at every start is left out.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout } from "node:timers/promises";

/** Dawn tells every process that it lowered two limits which nothing here uses. */
const NOISE = /^Warning: maxDynamic\w+ artificially reduced .*\r?\n/gm;

/** How long the last words of a command may take to arrive after its end, in milliseconds: a process that it left behind may keep the pipe. */
const LAST_WORDS = 200;

/**
 * Runs a command to its end.
 *
 * @param {string} command `node` is the Node that runs this
 * @param {string[]} args
 * @param {{ env: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} its exit code; 128 + n where signal n ended it, 127 where it could not start
 */
export function runCommand(command, args, { env }) {
  const child = spawn(command === "node" ? process.execPath : command, args, { stdio: ["inherit", "inherit", "pipe"], env });
  child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => process.stderr.write(text.replace(NOISE, "")));
  const heard = new Promise((resolve) => child.stderr.on("close", resolve));
  // Ctrl-C reaches the child by itself: a terminal sends it to the whole process group. Passing it on as well would look like a second
  // Ctrl-C. Without a terminal an interrupt comes from a supervisor that knows this process only.
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const handlers = {
    SIGINT: () => !terminal && child.kill("SIGINT"),
    SIGTERM: () => child.kill("SIGTERM"),
    SIGHUP: () => child.kill("SIGHUP"),
  };
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  const left = new AbortController();
  return new Promise((resolve) => {
    /** @param {number} code */
    const end = (code) => {
      for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler);
      resolve(code);
    };
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      end(127);
    });
    child.on("exit", async (code, signal) => {
      await Promise.race([heard, setTimeout(LAST_WORDS, undefined, { signal: left.signal }).catch(() => {})]);
      left.abort();
      end(code ?? (signal ? 128 + constants.signals[signal] : 1));
    });
  });
}
