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
  draft: { key: string; value: Draft };
}

const NAME = "neuroscope-collect";
const DRAFT = "draft";

/** Keeps collected words in the browser, on this machine alone. */
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
        fresh.createObjectStore("draft");
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

  async draft(): Promise<Draft | undefined> {
    return this.#database.get("draft", DRAFT);
  }

  async keepDraft(draft: Draft): Promise<void> {
    await this.#database.put("draft", draft, DRAFT);
  }
}
