import { useEffect, useState } from "preact/hooks";
import { useBench } from "../../app/bench_context.ts";
import type { EngineStats } from "../../engine/diagnostics.ts";
import type { BrowserFacts } from "./report.ts";

const EVERY_MS = 2000;

/** What the browser and the engine hold now, read anew every other second. */
export function useMachine(): { readonly browser: BrowserFacts; readonly stats: EngineStats | undefined } {
  const bench = useBench();
  const isReady = bench.status.value.kind === "ready";
  const [browser, setBrowser] = useState<BrowserFacts>(() => browserFacts(undefined));
  const [stats, setStats] = useState<EngineStats | undefined>(undefined);
  useEffect(() => {
    let isOver = false;
    const read = async (): Promise<void> => {
      const estimate = await navigator.storage?.estimate?.().catch(() => undefined);
      const now = isReady ? await bench.ask("engineStats", {}).catch(() => undefined) : undefined;
      if (isOver) return;
      setBrowser(browserFacts(estimate));
      setStats(now);
      timer = setTimeout(read, EVERY_MS);
    };
    let timer = setTimeout(read, 0);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [bench, isReady]);
  return { browser, stats };
}

function browserFacts(estimate: StorageEstimate | undefined): BrowserFacts {
  const { memory } = performance as { memory?: { usedJSHeapSize: number } }; // Chromium's own
  const { usage, quota } = estimate ?? {};
  return {
    userAgent: navigator.userAgent,
    processors: navigator.hardwareConcurrency,
    isSecure: globalThis.isSecureContext,
    storage: usage === undefined || quota === undefined ? undefined : { used: usage, quota },
    heapBytes: memory?.usedJSHeapSize,
  };
}
