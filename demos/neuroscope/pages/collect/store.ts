import type { Word } from "@cursive/cursive-model";
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { Stroke } from "./collection.ts";

/** A word that is kept. */
export interface KeptWord extends Word {
  readonly id: number;
}

/** What is being written: kept after every stroke. */
export interface Draft {
  readonly prompt: string;
  /** How many prompts there were before. */
  readonly number: number;
  readonly author: string;
  readonly strokes: readonly Stroke[];
}

interface Schema extends DBSchema {
  words: { key: number; value: Word & { readonly id?: number } };
}

const NAME = "neuroscope-collect";
const DRAFT = "neuroscope-collect-draft";

/**
 * Keeps collected words in the browser, on this machine alone. The draft is kept apart from the database, where writing is over when the call is: a tab
 * that is closed right after a stroke has it too.
 */
export class WordStore {
  readonly #database: IDBPDatabase<Schema>;

  private constructor(database: IDBPDatabase<Schema>) {
    this.#database = database;
  }

  /** @throws DOMException where the browser keeps nothing, as in some private windows. */
  static async open(): Promise<WordStore> {
    const database = await openDB<Schema>(NAME, 1, {
      upgrade(fresh) {
        fresh.createObjectStore("words", { keyPath: "id", autoIncrement: true });
      },
    });
    return new WordStore(database);
  }

  /** All words, in the order in which they were added. */
  async words(): Promise<KeptWord[]> {
    return (await this.#database.getAll("words")) as KeptWord[];
  }

  /** Adds words, all or none. @returns Them with their numbers. */
  async add(words: readonly Word[]): Promise<KeptWord[]> {
    const transaction = this.#database.transaction("words", "readwrite");
    const ids = await Promise.all(words.map(({ text, author, points }) => transaction.store.add({ text, author, points })));
    await transaction.done;
    return words.map((word, i) => ({ ...word, id: ids[i]! }));
  }

  async remove(id: number): Promise<void> {
    await this.#database.delete("words", id);
  }

  /** The draft, unless there is none that can be read. */
  draft(): Draft | undefined {
    try {
      return (JSON.parse(localStorage.getItem(DRAFT) ?? "null") as Draft | null) ?? undefined;
    } catch {
      return undefined;
    }
  }

  /** @throws DOMException where there is no room. */
  keepDraft(draft: Draft): void {
    localStorage.setItem(DRAFT, JSON.stringify(draft));
  }
}
