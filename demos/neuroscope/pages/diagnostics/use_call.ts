import { useEffect, useRef, useState } from "preact/hooks";
import { useBench } from "../../app/bench_context.ts";
import type { AnswerOf, CallName, ProgressOf, RequestOf } from "../../engine/client.ts";

/** A call that a button starts: where it stands and what came of it. */
export interface StartedCall<N extends CallName> {
  readonly answer: AnswerOf<N> | undefined;
  readonly progress: ProgressOf<N> | undefined;
  readonly isRunning: boolean;
  readonly error: string | undefined;
  readonly start: (request: RequestOf<N>) => void;
  readonly stop: () => void;
}

/** A call of the engine that is made when it is asked for, once at a time; it stops with the component. */
export function useCall<N extends CallName>(name: N): StartedCall<N> {
  const bench = useBench();
  const [state, setState] = useState<Pick<StartedCall<N>, "answer" | "progress" | "isRunning" | "error">>({
    ...{ answer: undefined, progress: undefined, isRunning: false, error: undefined },
  });
  const controller = useRef<AbortController | undefined>(undefined);
  const stop = (): void => controller.current?.abort(new DOMException("The page asked to stop", "AbortError"));
  useEffect(() => stop, []);
  const start = (request: RequestOf<N>): void => {
    stop();
    const own = new AbortController();
    controller.current = own;
    const put = (change: Partial<typeof state>): void => {
      if (controller.current === own) setState((before) => ({ ...before, ...change }));
    };
    put({ answer: undefined, progress: undefined, isRunning: true, error: undefined });
    const work = async (): Promise<void> =>
      put({ answer: await bench.ask(name, request, { signal: own.signal, onProgress: (progress) => put({ progress }) }) });
    work()
      .catch((error: unknown) => put({ error: own.signal.aborted ? undefined : error instanceof Error ? error.message : String(error) }))
      .finally(() => put({ isRunning: false }));
  };
  return { ...state, start, stop };
}
