import { useEffect, useState } from "preact/hooks";

/** What has been loaded, of what was asked for. */
export interface Loaded<Key, T> {
  /** What the value belongs to; an earlier key while the newer value is on its way, so that pages do not flash. */
  readonly key: Key | null;
  readonly value: T | null;
  /** Why the newest could not be loaded; null if it could. */
  readonly error: string | null;
}

/** Loads what belongs to a key whenever the key or `from` changes; answers that come too late are dropped. */
export function useLoaded<Key, T>(key: Key, from: unknown, load: (key: Key) => Promise<T>): Loaded<Key, T> {
  const [loaded, setLoaded] = useState<Loaded<Key, T>>({ key: null, value: null, error: null });
  useEffect(() => {
    let isCurrent = true;
    load(key).then(
      (value) => isCurrent && setLoaded({ key, value, error: null }),
      (error: unknown) => isCurrent && setLoaded({ key, value: null, error: error instanceof Error ? error.message : String(error) }),
    );
    return () => {
      isCurrent = false;
    };
  }, [key, from]);
  return loaded;
}
