import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, truncate } from "node:fs/promises";
import { basename, join } from "node:path";
import { systemCode } from "../errors.ts";
import { writeWhole } from "../run/files.ts";
import { type Event, encodeEvent, FILE_VERSION, outlineEvent, type SummaryValue } from "./event.ts";
import { encodeRecord, readRecords } from "./records.ts";

/** Values at a step, and when they came about, in seconds since 1970. */
export interface LogEntry {
  readonly step: number;
  readonly wallTime: number;
  readonly values: readonly SummaryValue[];
}

/** An entry of an event file that is there already. */
interface StoredEntry {
  readonly step: number;
  readonly tags: readonly string[];
  readonly bytes: Uint8Array;
}

interface StoredFile {
  readonly path: string;
  readonly entries: readonly StoredEntry[];
}

interface Stored {
  readonly files: readonly StoredFile[];
  /** Step and tag of every value in them. */
  readonly written: ReadonlySet<string>;
}

/**
 * A run's TensorBoard event files. Each start of the run has a file of its own, as TensorBoard expects it; what stands at later steps than the
 * run goes on from is cut off the older ones, and so is what a crash left torn. So any reader sees each value once, and a TensorBoard that is
 * watching meanwhile is told by the new file's first entries to forget what it had read of the later steps.
 */
export class EventLog {
  readonly #file: FileHandle;
  /** What stands already at the step it was opened at: a crash may have come between two values of it. */
  readonly #written: ReadonlySet<string>;

  private constructor(file: FileHandle, written: ReadonlySet<string>) {
    this.#file = file;
    this.#written = written;
  }

  /**
   * Goes on behind a step with exactly the `expected` entries up to there: of scalars that are not expected none is kept, and what is missing
   * is filled in.
   */
  static async open(folder: string, options: { readonly step: number; readonly expected: readonly LogEntry[] }): Promise<EventLog> {
    const { step, expected } = options;
    await mkdir(folder, { recursive: true });
    const stored = await readStored(folder, options);
    const missing = missingFrom(stored, expected);
    const path = join(folder, nextName(stored.files.map((file) => file.path)));
    const head = [headOf({ fileVersion: FILE_VERSION }, 0), headOf({ restart: true }, step + 1)];
    if (missing.length === 0) {
      for (const file of stored.files) await keepOnly(file);
      await writeWhole(path, Buffer.concat(head));
    } else {
      await writeWhole(path, Buffer.concat([...head, ...inOrder(stored.files, missing)]));
      for (const file of stored.files) await rm(file.path);
    }
    const here = [...stored.written, ...missing.flatMap((entry) => entry.values.map(({ tag }) => keyOf(entry.step, tag)))];
    return new EventLog(await open(path, "a"), new Set(here.filter((key) => key.startsWith(`${step} `))));
  }

  /** Writes values at a step behind the one it was opened at, or those of that step that are not there yet. */
  async append({ step, wallTime, values }: LogEntry): Promise<void> {
    const fresh = values.filter(({ tag }) => !this.#written.has(keyOf(step, tag)));
    if (fresh.length > 0) await this.#file.appendFile(recordOf({ step, wallTime, values: fresh }));
  }

  /** Waits until everything is on the disk. */
  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** What {@link exportEvents} copies. */
export interface ExportOptions {
  /** Event files of the same run, of which what belongs to it is taken over. */
  readonly from: string;
  readonly step: number;
  /** What the run's other files tell. */
  readonly expected: readonly LogEntry[];
}

/** Writes all of a run into one event file, in place of the event files that are in the folder. @returns The file's path. */
export async function exportEvents(folder: string, options: ExportOptions): Promise<string> {
  await mkdir(folder, { recursive: true });
  const stored = await readStored(options.from, options);
  const old = await eventFiles(folder);
  const path = join(folder, nextName(old));
  const entries = inOrder(stored.files, missingFrom(stored, options.expected));
  await writeWhole(path, Buffer.concat([headOf({ fileVersion: FILE_VERSION }, 0), ...entries]));
  for (const file of old) await rm(file);
  return path;
}

function headOf(what: Event["what"], step: number): Uint8Array {
  return encodeRecord(encodeEvent({ wallTime: Date.now() / 1000, step, what }));
}

/** What is expected and not there. */
function missingFrom({ written }: Stored, expected: readonly LogEntry[]): LogEntry[] {
  return expected
    .map((entry) => ({ ...entry, values: entry.values.filter(({ tag }) => !written.has(keyOf(entry.step, tag))) }))
    .filter(({ values }) => values.length > 0);
}

/** Kept entries and new ones as the records of one file: entries that are out of order look like another restart to some readers. */
function inOrder(files: readonly StoredFile[], entries: readonly LogEntry[]): Uint8Array[] {
  const kept = files.flatMap((file) => file.entries).filter(({ tags }) => tags.length > 0);
  const filled = entries.map((entry) => ({ step: entry.step, bytes: recordOf(entry) }));
  return [...kept, ...filled].sort((a, b) => a.step - b.step).map(({ bytes }) => bytes);
}

async function eventFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error) => (systemCode(error) === "ENOENT" ? [] : Promise.reject(error)));
  return names
    .filter((name) => /^events\.out\.tfevents\.\d+\.cursive\.\d+$/.test(name)) // others' are theirs
    .sort()
    .map((name) => join(folder, name));
}

/** What is to be kept of the files that are there: each tag of a step once, up to the step, and scalars only where they are expected. */
async function readStored(
  folder: string,
  { step: last, expected }: { readonly step: number; readonly expected: readonly LogEntry[] },
): Promise<Stored> {
  const scalars = new Set(expected.flatMap((entry) => entry.values.filter((one) => "scalar" in one).map((one) => one.tag)));
  const wanted = new Set(expected.flatMap((entry) => entry.values.map(({ tag }) => keyOf(entry.step, tag))));
  const written = new Set<string>();
  const files: StoredFile[] = [];
  for (const path of await eventFiles(folder)) {
    const entries: StoredEntry[] = [];
    for (const { bytes, data } of readRecords(await readFile(path))) {
      const { step, tags } = outlineEvent(data);
      const keys = tags.map((tag) => keyOf(step, tag));
      const isKept = keys.every((key, i) => !written.has(key) && (wanted.has(key) || !scalars.has(tags[i]!)));
      if (step > last || !isKept) continue;
      for (const key of keys) written.add(key);
      entries.push({ step, tags, bytes });
    }
    files.push({ path, entries });
  }
  return { files, written };
}

/** Brings a file to its kept entries: cuts it where they are its beginning, as they are unless something was lost in the middle. */
async function keepOnly({ path, entries }: StoredFile): Promise<void> {
  if (entries.every(({ tags }) => tags.length === 0)) return rm(path); // it came to no step before the run was stopped
  const kept = Buffer.concat(entries.map(({ bytes }) => bytes));
  const there = await readFile(path);
  if (!there.subarray(0, kept.length).equals(kept)) await writeWhole(path, kept);
  else if ((await stat(path)).size > kept.length) await truncate(path, kept.length);
}

/** A name behind all others', for TensorBoard reads files in the order of their names. Of the host it says nothing. */
function nextName(paths: readonly string[]): string {
  const parts = paths.map((path) => basename(path).split("."));
  const latest = (place: number): number => Math.max(0, ...parts.map((part) => Number(part[place]) || 0));
  const [time, number] = [Math.max(Math.floor(Date.now() / 1000), latest(3)), latest(5) + 1];
  return `events.out.tfevents.${String(time).padStart(10, "0")}.cursive.${String(number).padStart(4, "0")}`;
}

function recordOf({ step, wallTime, values }: LogEntry): Uint8Array {
  return encodeRecord(encodeEvent({ wallTime, step, what: { values } }));
}

function keyOf(step: number, tag: string): string {
  return `${step} ${tag}`;
}
