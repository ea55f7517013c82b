import { type ReadonlySignal, type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { useBench } from "../../app/bench_context.ts";
import type { AnswerOf, CallName, ProgressOf, RequestOf } from "../../engine/client.ts";

/** How far a question to the engine is. What came before stays until the next is there. */
export interface Asked<N extends CallName> {
  readonly answer: AnswerOf<N> | undefined;
  /** What the answer is to. */
  readonly request: RequestOf<N> | undefined;
  readonly progress: ProgressOf<N> | undefined;
  readonly isBusy: boolean;
  readonly error: string | undefined;
}

/**
 * Asks the engine whenever the request is another, after a moment in which it may still change; an answer that nobody waits for any more is
 * dropped. Without a request nothing is asked, and nothing is shown.
 */
export function useAnswer<N extends CallName>(name: N, request: RequestOf<N> | undefined, delay = 0): ReadonlySignal<Asked<N>> {
  const bench = useBench();
  const isReady = bench.status.value.kind === "ready";
  const asked: Signal<Asked<N>> = useSignal<Asked<N>>({
    ...{ answer: undefined, request: undefined, progress: undefined, isBusy: false, error: undefined },
  });
  // Another model's answer, or another autoencoder's, is none to the same request.
  const key = request === undefined ? "" : JSON.stringify([bench.model.value?.id, bench.sae.value?.id, request]);
  useEffect(() => {
    if (!isReady || request === undefined) {
      if (request === undefined)
        asked.value = { answer: undefined, request: undefined, progress: undefined, isBusy: false, error: undefined };
      return undefined;
    }
    const controller = new AbortController();
    const { signal } = controller;
    asked.value = { ...asked.peek(), isBusy: true, progress: undefined, error: undefined };
    const timer = setTimeout(() => {
      const onProgress = (progress: ProgressOf<N>): void => {
        asked.value = { ...asked.peek(), progress };
      };
      bench.ask(name, request, { onProgress, signal }).then(
        (answer) => {
          asked.value = { answer, request, progress: undefined, isBusy: false, error: undefined };
        },
        (error: unknown) => {
          if (signal.aborted) return;
          const text = error instanceof Error ? error.message : String(error);
          asked.value = { answer: undefined, request: undefined, progress: undefined, isBusy: false, error: text };
        },
      );
    }, delay);
    return () => {
      clearTimeout(timer);
      controller.abort(new DOMException("Another request took its place", "AbortError"));
    };
  }, [bench, isReady, name, key]);
  return asked;
}
