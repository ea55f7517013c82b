// The folder for what is fetched once a machine, and how something gets into it whole or not at all.
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { constants, homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const STALE_LOCK_MS = 20 * 60_000;

/** The folder `cursive` in the user's cache. */
export function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "cursive");
}

/**
 * Makes sure that `folder` exists, by `build`ing it beside its place and renaming it: a folder that exists is complete. Of several processes
 * that start at once one builds and the others wait. The lock only spares the others the work; the rename keeps the folder whole even
 * where two builders slip past it. A folder that is there but no longer `isUsable` is built anew.
 *
 * @param {string} folder
 * @param {(temporary: string) => Promise<void>} build fills a new, empty folder; throws when it cannot
 * @param {{ onWait?: () => void, isUsable?: () => boolean }} [options] `onWait` is called once when another process is building
 */
export async function installOnce(folder, build, { onWait, isUsable = () => true } = {}) {
  mkdirSync(dirname(folder), { recursive: true });
  const release = await acquireLock(`${folder}.lock`, onWait);
  /** @type {string | undefined} */
  let temporary;
  const cleanUp = () => {
    if (temporary) rmSync(temporary, { recursive: true, force: true });
    release();
  };
  const forgetSignals = onSignal((code) => {
    cleanUp();
    process.exit(code);
  });
  try {
    if (existsSync(folder) && isUsable()) return;
    rmSync(folder, { recursive: true, force: true });
    removeLeftovers(folder);
    temporary = mkdtempSync(`${folder}.part-`);
    await build(temporary);
    if (!existsSync(folder)) renameSync(temporary, folder);
  } finally {
    forgetSignals();
    cleanUp();
  }
}

/**
 * @param {string} lock
 * @param {(() => void) | undefined} onWait
 * @returns {Promise<() => void>} what releases the lock
 */
async function acquireLock(lock, onWait) {
  for (let waited = false; ; ) {
    try {
      const descriptor = openSync(lock, "wx");
      writeSync(descriptor, String(process.pid));
      closeSync(descriptor);
      return () => rmSync(lock, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    if (isStale(lock)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!waited) onWait?.();
    waited = true;
    await sleep(200);
  }
}

/**
 * Whether a lock's owner is gone: its process does not exist, or it is too old to be true (a process number of another container means nothing here).
 *
 * @param {string} lock
 */
function isStale(lock) {
  try {
    const age = Date.now() - statSync(lock).mtimeMs;
    const owner = Number(readFileSync(lock, "utf8"));
    // A lock without a number was made this instant, by an owner who is about to write it.
    return age > STALE_LOCK_MS || (owner > 0 ? !isAlive(owner) : age > 5_000);
  } catch {
    return false; // released meanwhile
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/**
 * Removes what builders left that were killed. Only the holder of the lock calls it.
 *
 * @param {string} folder
 */
function removeLeftovers(folder) {
  for (const name of readdirSync(dirname(folder))) {
    if (name.startsWith(`${basename(folder)}.part-`)) rmSync(join(dirname(folder), name), { recursive: true, force: true });
  }
}

/**
 * Calls `handler` with the exit code of a signal that would end this process.
 *
 * @param {(code: number) => void} handler
 * @returns {() => void} what takes the handlers away again
 */
function onSignal(handler) {
  const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
  const listeners = signals.map((signal) => [signal, () => handler(128 + constants.signals[signal])]);
  for (const [signal, listener] of listeners) process.on(/** @type {string} */ (signal), /** @type {() => void} */ (listener));
  return () => {
    for (const [signal, listener] of listeners) process.off(/** @type {string} */ (signal), /** @type {() => void} */ (listener));
  };
}
