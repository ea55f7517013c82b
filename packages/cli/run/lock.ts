import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { oneLine, systemCode, UsageError } from "../errors.ts";

/** The process that works on a run. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** When it started, as the system counts, where that can be told: another process may have got its number since. */
  readonly started: string | null;
}

const NAME = "LOCK";

/**
 * Makes this process the only one to work on a run folder. A lock of a process that is gone is taken over.
 *
 * @throws UsageError where another process works on it, or the folder cannot be written.
 */
export async function lockFolder(folder: string): Promise<void> {
  const path = join(folder, NAME);
  const own: LockHolder = { pid: process.pid, host: hostname(), started: await startOf(process.pid) };
  const mine = `${path}.${own.pid}`;
  const content = JSON.stringify(own);
  try {
    for (;;) {
      await writeFile(mine, content);
      if (await claim(mine, { path, content })) return;
      const seen = await readFile(path, "utf8").catch(() => "");
      const holder = await liveHolder(seen);
      if (holder) throw new UsageError(heldBy(holder, folder));
      await setAside(path, seen);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`Expected a folder that can be written at ${folder} but found: ${oneLine(error)}`);
  } finally {
    await rm(mine, { force: true }).catch(() => {});
  }
}

/** Lets others work on a folder that this process has locked. */
export async function unlockFolder(folder: string): Promise<void> {
  await rm(join(folder, NAME), { force: true });
}

/** The process that works on a run folder, if one does. */
export async function lockHolder(folder: string): Promise<LockHolder | undefined> {
  return liveHolder(await readFile(join(folder, NAME), "utf8").catch(() => ""));
}

/** The process that a lock's text names, if it is still there. */
async function liveHolder(text: string): Promise<LockHolder | undefined> {
  const { pid, host, started = null } = parse(text);
  if (pid === undefined || host === undefined) return undefined;
  const holder: LockHolder = { pid, host, started };
  const isElsewhere = host !== hostname(); // then nothing can be known of it from here
  return isElsewhere || (await isAlive(holder)) ? holder : undefined;
}

function parse(text: string): Partial<LockHolder> {
  try {
    return (JSON.parse(text) ?? {}) as Partial<LockHolder>;
  } catch {
    return {};
  }
}

function heldBy({ pid, host }: LockHolder, folder: string): string {
  const where = host === hostname() ? "" : ` on ${host} (if that has ended, delete ${join(folder, NAME)})`;
  return `Expected a run that nobody works on but found process ${pid}${where} at ${folder}`;
}

/** Gives a finished lock file its name, which only one process can. */
async function claim(mine: string, { path, content }: { path: string; content: string }): Promise<boolean> {
  try {
    await link(mine, path); // unlike a file that is opened and then written, it is never seen half written
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EOPNOTSUPP"].includes(systemCode(error) ?? "")) throw error;
  }
  try {
    await writeFile(path, content, { flag: "wx" }); // for file systems without links
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a dead process's lock, unless another process was faster: then that one's lock goes back to its place. */
async function setAside(path: string, seen: string): Promise<void> {
  const aside = `${path}.${process.pid}.old`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    throw error;
  }
  if ((await readFile(aside, "utf8")) === seen) await rm(aside, { force: true });
  else await rename(aside, path);
}

async function isAlive({ pid, started }: LockHolder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === "EPERM"; // somebody else's process, but one
  }
  const now = await startOf(pid);
  return now !== "ended" && (now === null || started === null || now === started);
}

/** When a process started, in ticks since the system did; null where the system does not tell; `"ended"` for one that waits to be forgotten. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3 on; the name in field 2 may hold anything
    return fields[0] === "Z" ? "ended" : (fields[19] ?? null);
  } catch {
    return null;
  }
}
