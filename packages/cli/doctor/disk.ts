import { mkdtemp, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { explainFailure, oneLine, systemCode } from "../errors.ts";
import { syncFolder, writeSynced } from "../run/files.ts";
import { megabytes } from "../terminal/progress.ts";
import type { Finding } from "./finding.ts";
import { homely } from "./homely.ts";

/** About what a checkpoint weighs: the presets' parameters and their moments. */
const TEST_BYTES = 4 << 20;
/** A run of a preset keeps three checkpoints and some hundred pictures. */
const SCARCE = 500e6;

/** Whether runs can be written to a folder, as checkpoints are: written, brought to the disk, renamed; and how much room is left. */
export async function checkDisk(runs: string): Promise<Finding[]> {
  const folder = await nearestFolder(resolve(runs));
  return [await checkSpace(folder), await checkWriting(folder, resolve(runs))];
}

async function checkSpace(folder: string): Promise<Finding> {
  const { bavail, blocks, bsize } = await statfs(folder);
  const [free, total] = [bavail * bsize, blocks * bsize];
  const isScarce = free < SCARCE;
  return {
    id: "disk.space",
    name: "space",
    status: isScarce ? "warn" : "ok",
    found: `${megabytes(free)} of ${megabytes(total)} free where runs go (${homely(folder)})`,
    ...(isScarce && { fix: "pnpm cli runs rm RUN   # or put runs elsewhere: pnpm cli train --runs FOLDER" }),
    data: { folder: homely(folder), free, total },
  };
}

async function checkWriting(folder: string, runs: string): Promise<Finding> {
  const about = { id: "disk.write", name: "write" } as const;
  let own: string | undefined;
  try {
    const began = performance.now();
    if (folder === runs && !(await stat(runs)).isDirectory())
      throw Object.assign(new Error(`${homely(runs)} is a file`), { code: "ENOTDIR" });
    own = await mkdtemp(join(folder, ".doctor-"));
    const [partial, whole] = [join(own, "test.partial"), join(own, "test")];
    const content = new Uint8Array(TEST_BYTES).fill(0xa5);
    await writeSynced(partial, content);
    await rename(partial, whole);
    await syncFolder(own);
    const milliseconds = performance.now() - began;
    if (!(await readFile(whole)).equals(content)) throw new Error("what was read back is not what was written");
    const found = `${megabytes(TEST_BYTES)} written, synced, renamed and read back in ${milliseconds.toFixed(0)} ms`;
    return { ...about, status: "ok", found, data: { bytes: TEST_BYTES, milliseconds } };
  } catch (error) {
    const code = systemCode(error) ?? null;
    return {
      ...about,
      status: "fail",
      found: homely(describe(error, code)),
      fix: fixFor(code, { folder: homely(folder), runs: homely(runs) }),
      data: { code },
    };
  } finally {
    if (own) await rm(own, { recursive: true, force: true }).catch(() => {});
  }
}

function describe(error: unknown, code: string | null): string {
  const isForbidden = code === "EACCES" || code === "EPERM";
  return isForbidden ? `Expected a folder that you may write to but found ${oneLine(error)}` : explainFailure(error);
}

/** Never what would change more than the runs' own folder: the one that is there may be the root of the disk. */
function fixFor(code: string | null, { folder, runs }: { readonly folder: string; readonly runs: string }): string {
  if (code === "ENOSPC" || code === "EDQUOT")
    return `du -sh ${folder}/* | sort -h   # and make room, or put runs elsewhere: pnpm cli train --runs FOLDER`;
  if (code === "EACCES" || code === "EPERM")
    return `sudo install -d -o "$USER" ${runs}   # or put runs elsewhere: pnpm cli train --runs FOLDER`;
  return "pnpm cli train --runs FOLDER   # with a folder that can be written";
}

/** A folder that is there: the one asked for, or the nearest above it, where it would be made. */
async function nearestFolder(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : nearestFolder(dirname(path));
}
