import type { AttentionHead, HeadAblations, InkSegment, TextAttention } from "@cursive/cursive-model";
import { StrokeTokenizer } from "@cursive/cursive-model";
import { useEffect, useMemo, useState } from "preact/hooks";
import { useBench } from "../../app/bench_context.ts";
import type { LossOnInk, LossOnWords } from "../../engine/attention.ts";

/** What the page shows of one writing. */
export interface AttentionRequest {
  readonly text: string;
  readonly seed: number;
  readonly temperature: number;
  /** 0 for all. */
  readonly topK: number;
  readonly off: readonly AttentionHead[];
}

/** Ink as it grows. */
export interface GrowingInk {
  readonly segments: readonly InkSegment[];
  readonly isDone: boolean;
  /** The model came to END. */
  readonly ended: boolean;
}

/** What the model wrote without some heads, and what they are worth. */
export interface WithoutHeads {
  readonly ink: GrowingInk;
  readonly onInk: LossOnInk | undefined;
  readonly onWords: LossOnWords | undefined;
}

/** Everything that is computed for the page. */
export interface AttentionState {
  readonly ink: GrowingInk | undefined;
  readonly reading: TextAttention | undefined;
  readonly without: WithoutHeads | undefined;
  readonly error: string | undefined;
}

const nothing: AttentionState = { ink: undefined, reading: undefined, without: undefined, error: undefined };

/** Writes a text with all heads and without some, reads the ink, and measures the losses. What is out of date is dropped. */
export function useAttention({ text, seed, temperature, topK, off }: AttentionRequest): AttentionState {
  const bench = useBench();
  const isReady = bench.status.value.kind === "ready";
  const model = bench.model.value;
  const tokenizer = useMemo(() => model && new StrokeTokenizer(model.tokenizer), [model]);
  const [state, setState] = useState<AttentionState>(nothing);
  const [tokens, setTokens] = useState<readonly number[] | undefined>(undefined);
  const offKey = off.map(({ attention, layer, head }) => `${attention}${layer}.${head}`).join();

  useEffect(() => {
    if (text === "") {
      setTokens(undefined);
      setState(nothing);
    }
    if (!isReady || !tokenizer || text === "") return undefined;
    const controller = new AbortController();
    const { signal } = controller;
    const put = (change: Partial<AttentionState>): void => setState((before) => ({ ...before, ...change }));
    setTokens(undefined);
    const work = async (): Promise<void> => {
      const written = await bench.ask(
        "attentionWrite",
        { text, seed, temperature, topK, off: [] },
        {
          signal,
          onProgress: throttled((now) =>
            put({ ink: { segments: wholeSegments(tokenizer, now), isDone: false, ended: false }, reading: undefined }),
          ),
        },
      );
      put({ ink: { segments: wholeSegments(tokenizer, written.tokens), isDone: true, ended: written.ended } });
      const reading = await bench.ask("attentionRead", { text, tokens: written.tokens }, { signal });
      put({ reading, error: undefined });
      setTokens(written.tokens);
    };
    work().catch((error: unknown) => {
      if (!signal.aborted) put({ error: messageOf(error) });
    });
    return () => controller.abort(new DOMException("Something else is asked for", "AbortError"));
  }, [bench, isReady, tokenizer, text, seed, temperature, topK]);

  // offKey stands for off, which is a new list at every drawing.
  useEffect(() => {
    if (!isReady || !tokenizer || !tokens || off.length === 0) {
      setState((before) => ({ ...before, without: undefined }));
      return undefined;
    }
    const controller = new AbortController();
    const { signal } = controller;
    const put = (change: Partial<WithoutHeads>): void =>
      setState((before) => {
        const present = before.without ?? { ink: { segments: [], isDone: false, ended: false }, onInk: undefined, onWords: undefined };
        return { ...before, without: { ...present, ...change } };
      });
    const work = async (): Promise<void> => {
      put({ onInk: undefined, onWords: undefined });
      const written = await bench.ask(
        "attentionWrite",
        { text, seed, temperature, topK, off },
        { signal, onProgress: throttled((now) => put({ ink: { segments: wholeSegments(tokenizer, now), isDone: false, ended: false } })) },
      );
      put({ ink: { segments: wholeSegments(tokenizer, written.tokens), isDone: true, ended: written.ended } });
      put({ onInk: await bench.ask("attentionLoss", { text, tokens, off }, { signal }) });
      put({ onWords: await bench.ask("attentionWords", { off }, { signal }) });
    };
    work().catch((error: unknown) => {
      if (!signal.aborted) setState((before) => ({ ...before, error: messageOf(error) }));
    });
    return () => controller.abort(new DOMException("Something else is asked for", "AbortError"));
  }, [bench, isReady, tokenizer, tokens, offKey]);

  return state;
}

/** Measuring every head by itself: where it stands, and what starts it. */
export interface HeadMeasurement {
  readonly found: HeadAblations | undefined;
  readonly progress: { readonly done: number; readonly total: number } | undefined;
  readonly start: () => void;
  readonly stop: () => void;
}

/** Measures what each head is worth by itself, when it is asked to. */
export function useHeadMeasurement(): HeadMeasurement {
  const bench = useBench();
  const model = bench.model.value;
  const [found, setFound] = useState<{ readonly model: typeof model; readonly heads: HeadAblations } | undefined>(undefined);
  const [run, setRun] = useState<{ readonly controller: AbortController; readonly done: number; readonly total: number } | undefined>(
    undefined,
  );
  useEffect(() => () => run?.controller.abort(), [run?.controller]);
  const start = (): void => {
    const controller = new AbortController();
    setRun({ controller, done: 0, total: 1 });
    bench
      .ask("attentionEach", {}, { signal: controller.signal, onProgress: (progress) => setRun({ controller, ...progress }) })
      .then(
        (heads) => setFound({ model, heads }),
        () => {},
      )
      .finally(() => setRun((present) => (present?.controller === controller ? undefined : present)));
  };
  return {
    found: found?.model === model ? found?.heads : undefined,
    progress: run,
    start,
    stop: () => run?.controller.abort(),
  };
}

/** Movements without halves of pairs: a writing of which the last direction still waits for its length has one. */
function wholeSegments(tokenizer: StrokeTokenizer, tokens: readonly number[]): readonly InkSegment[] {
  return tokenizer.segments(tokens).filter(({ malformed }) => !malformed);
}

/** Passes on no more than a screen shows. */
function throttled<T>(pass: (value: T) => void): (value: T) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (value) => {
    if (performance.now() - last < 30) return;
    last = performance.now();
    pass(value);
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
