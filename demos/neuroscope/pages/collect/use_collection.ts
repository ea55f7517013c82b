import type { Word } from "@cursive/cursive-model";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Draft, type KeptWord, WordStore } from "./store.ts";

/** The collection, and what changes it. */
export interface Collection {
  /** False until what was kept before has been read. */
  readonly isOpen: boolean;
  /** Why nothing outlives this tab, where that is so. */
  readonly notKept: string | undefined;
  readonly words: readonly KeptWord[];
  readonly draft: Draft | undefined;
  readonly setDraft: (draft: Draft) => void;
  readonly add: (words: readonly Word[]) => Promise<void>;
  readonly remove: (id: number) => void;
}

/** Words that outlive a reload, and the one that is being written. */
export function useCollection(): Collection {
  const store = useRef<WordStore | undefined>(undefined);
  const [isOpen, setOpen] = useState(false);
  const [notKept, setNotKept] = useState<string | undefined>(undefined);
  const [words, setWords] = useState<readonly KeptWord[]>([]);
  const [draft, putDraft] = useState<Draft | undefined>(undefined);
  const lastId = useRef(0);

  const failed = (error: unknown): void => setNotKept(error instanceof Error ? error.message : String(error));

  useEffect(() => {
    const open = async (): Promise<void> => {
      try {
        store.current = await WordStore.open();
        setWords(await store.current.words());
        putDraft(store.current.draft());
      } catch (error) {
        failed(error);
      }
      setOpen(true);
    };
    void open();
  }, []);

  return {
    ...{ isOpen, notKept, words, draft },
    setDraft: (next) => {
      putDraft(next);
      try {
        store.current?.keepDraft(next);
      } catch (error) {
        failed(error);
      }
    },
    add: async (added) => {
      const kept = await store.current?.add(added).catch(failed);
      const numbered = kept ?? added.map((word) => ({ ...word, id: --lastId.current }));
      setWords((before) => [...before, ...numbered]);
    },
    remove: (id) => {
      setWords((before) => before.filter((word) => word.id !== id));
      if (id > 0) store.current?.remove(id).catch(failed);
    },
  };
}
