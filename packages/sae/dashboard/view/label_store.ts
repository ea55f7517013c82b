import { type ReadonlySignal, signal } from "@preact/signals";

/** Labels of one's own, by feature. */
export interface LabelStore {
  readonly labels: ReadonlySignal<ReadonlyMap<number, string>>;
  /** An empty text takes a label away, so that the one found shows again. */
  set(index: number, label: string): void;
  /** All of them as JSON: `{ "18": "down left, fast" }`. */
  toJson(): string;
}

/**
 * Labels that are kept in a browser's storage, or, where there is none, until the page is closed.
 *
 * @param storage - Such as `localStorage`; one that refuses is passed over.
 * @example
 * ```ts
 * const labels = createLabelStore("labels of my dictionary", localStorage);
 * labels.set(18, "down left, fast");
 * ```
 */
export function createLabelStore(key: string, storage: Pick<Storage, "getItem" | "setItem"> | null): LabelStore {
  const labels = signal<ReadonlyMap<number, string>>(readLabels(key, storage));
  const toJson = (): string => JSON.stringify(Object.fromEntries(labels.value), null, 1);
  return {
    labels,
    set(index, label) {
      const changed = new Map(labels.value);
      if (label.trim()) changed.set(index, label.trim());
      else changed.delete(index);
      labels.value = changed;
      try {
        storage?.setItem(key, toJson());
      } catch {
        // full or forbidden: the labels stay for as long as the page does
      }
    },
    toJson,
  };
}

function readLabels(key: string, storage: Pick<Storage, "getItem"> | null): Map<number, string> {
  try {
    const stored = Object.entries(JSON.parse(storage?.getItem(key) ?? "{}") as Record<string, unknown>);
    return new Map(stored.flatMap(([index, label]) => (typeof label === "string" ? [[Number(index), label] as const] : [])));
  } catch {
    return new Map();
  }
}
