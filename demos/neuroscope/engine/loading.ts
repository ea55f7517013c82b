/** What happens while the engine starts, in this order. */
export type StageName = "engine" | "model" | "sae" | "kernels";

/** One of the steps of starting, as the page shows them. */
export interface Stage {
  readonly name: StageName;
  readonly state: "waiting" | "running" | "done" | "missing";
  /** Bytes that have come, of those that will, where it loads a file. */
  readonly bytes?: number;
  readonly total?: number;
  readonly milliseconds?: number;
}

/** All stages before the first. */
export const waitingStages: readonly Stage[] = (["engine", "model", "sae", "kernels"] as const).map((name) => ({ name, state: "waiting" }));

/**
 * Loads a file of the app's own with its progress.
 *
 * @returns `undefined` if there is none.
 * @throws TypeError if it cannot be had for another reason.
 */
export async function loadAsset(url: URL, onBytes: (bytes: number, total: number | undefined) => void): Promise<Uint8Array | undefined> {
  const response = await fetch(url);
  if (response.status === 404) return undefined;
  if (!response.ok || !response.body) throw new TypeError(`Expected ${url.pathname} but found status ${response.status}`);
  const total = Number(response.headers.get("content-length")) || undefined;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
    onBytes(bytes, total);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
