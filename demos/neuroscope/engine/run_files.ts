import { openDB } from "idb";
import { MemoryFiles, type RunFiles } from "./saved_runs.ts";

/** Where runs are kept in this browser. */
export interface OpenedFiles {
  readonly files: RunFiles;
  readonly place: "opfs" | "indexeddb" | "memory";
}

/** What workers have, which TypeScript knows of pages only; and `move`, which all browsers have and it does not know yet. */
interface WritableHandle extends FileSystemFileHandle {
  move(name: string): Promise<void>;
  createSyncAccessHandle(): Promise<{
    truncate(bytes: number): void;
    write(bytes: Uint8Array<ArrayBuffer>): number;
    flush(): void;
    close(): void;
  }>;
}

/**
 * Opens the browser's own storage: its private file system where files can be written in place and renamed there, else IndexedDB, else none at
 * all, as in some private windows. In a worker.
 */
export async function openRunFiles(): Promise<OpenedFiles> {
  try {
    const hasFiles = "createSyncAccessHandle" in FileSystemFileHandle.prototype && "move" in FileSystemFileHandle.prototype;
    if (hasFiles) return { files: await opfsFiles(), place: "opfs" };
  } catch {
    // IndexedDB may be there all the same.
  }
  try {
    return { files: await idbFiles(), place: "indexeddb" };
  } catch {
    return { files: new MemoryFiles(), place: "memory" };
  }
}

/** A folder of the origin private file system. Files get their names once they are whole and flushed. */
async function opfsFiles(): Promise<RunFiles> {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle("runs", { create: true });
  const PARTIAL = ".partial";
  return {
    async list() {
      const names: string[] = [];
      for await (const name of folder.keys()) if (!name.endsWith(PARTIAL)) names.push(name);
      return names;
    },
    async read(name) {
      const handle = await folder.getFileHandle(name).catch(ifThere);
      return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    async write(name, bytes) {
      const handle = (await folder.getFileHandle(name + PARTIAL, { create: true })) as WritableHandle;
      try {
        const access = await handle.createSyncAccessHandle();
        try {
          access.truncate(0);
          const written = access.write(bytes);
          if (written < bytes.length) throw new DOMException(`Only ${written} of ${bytes.length} bytes were written`, "QuotaExceededError");
          access.flush();
        } finally {
          access.close();
        }
        await handle.move(name);
      } catch (error) {
        await folder.removeEntry(name + PARTIAL).catch(ifThere);
        throw error;
      }
    },
    async remove(name) {
      await folder.removeEntry(name).catch(ifThere);
    },
  };
}

/** A table of a database; a put is a transaction of its own. */
async function idbFiles(): Promise<RunFiles> {
  const TABLE = "files";
  const database = await openDB("neuroscope-runs", 1, { upgrade: (fresh) => void fresh.createObjectStore(TABLE) });
  return {
    list: async () => (await database.getAllKeys(TABLE)).map(String),
    read: (name) => database.get(TABLE, name),
    write: async (name, bytes) => void (await database.put(TABLE, bytes, name)),
    remove: (name) => database.delete(TABLE, name),
  };
}

function ifThere(error: unknown): undefined {
  if ((error as DOMException).name === "NotFoundError") return undefined;
  throw error;
}

/** Keeps a run to this tab. @returns What lets it go; undefined where another tab has it. */
export function lockRun(id: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const hold = (lock: Lock | null): Promise<void> | undefined => {
      if (lock) return new Promise<void>((release) => resolve(release));
      resolve(undefined);
      return undefined;
    };
    navigator.locks.request(`neuroscope ${id}`, { ifAvailable: true }, hold).catch(reject);
  });
}
