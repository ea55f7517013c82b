import { openDevice } from "@cursive/tensor";
import {
  compareKernels,
  type Latency,
  type MatmulSpeed,
  type MemorySpeed,
  measureLatency,
  measureMatmul,
  measureMemory,
  type Outcome,
  type RepeatedTraining,
  repeatTraining,
} from "@cursive/tensor/self_test";
import type { Bench } from "./bench.ts";
import type { CallContext } from "./call.ts";
import { writeWords } from "./write.ts";

/** What came of comparing one op with float64. */
export interface ComparedOp {
  readonly id: string;
  readonly name: string;
  readonly cases: number;
  /** In the kernels that this adapter uses. */
  readonly outcome: Outcome;
}

/** What the self-test found. */
export interface SelfTest {
  /** The family of the kernels that were compared. */
  readonly family: string;
  readonly ops: readonly ComparedOp[];
  /** Whether training steps give the same bits again; a text where they could not be taken. */
  readonly repeated: RepeatedTraining | string;
  readonly seconds: number;
}

/** How the self-test goes on: what is compared now, of how many, and what has been. */
export interface SelfTestProgress {
  readonly doing: string;
  readonly done: number;
  readonly total: number;
  readonly ops: readonly ComparedOp[];
}

/**
 * Compares ops with float64 on this adapter, in the kernels that it uses, and takes training steps twice: what `pnpm cli doctor` does. On a
 * device of its own, so that a shader at fault leaves the app's alone.
 *
 * @throws The reason of the signal.
 */
export async function selfTest(
  bench: Pick<Bench, "device">,
  _request: object,
  { report, signal }: CallContext<SelfTestProgress>,
): Promise<SelfTest> {
  const began = performance.now();
  const device = await openDevice({ asDefault: false, family: bench.device.family });
  const ops: ComparedOp[] = [];
  try {
    let progress: SelfTestProgress = { doing: "", done: 0, total: 0, ops };
    await compareKernels(device, {
      signal,
      onCheck: ({ name, number, perFamily }) => {
        progress = { doing: name, done: number - 1, total: perFamily + 1, ops: [...ops] };
        report(progress);
      },
      onOutcome: ({ id, name, cases }, outcome) => ops.push({ id, name, cases: cases.length, outcome }),
    });
    signal.throwIfAborted();
    report({ ...progress, doing: "the same training steps twice", done: progress.total - 1, ops: [...ops] });
    const repeated = await repeatTraining(device).catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    return { family: device.family, ops, repeated, seconds: (performance.now() - began) / 1000 };
  } finally {
    device.destroy();
  }
}

/** How fast this adapter is. */
export interface MeasuredSpeed {
  readonly products: readonly MatmulSpeed[];
  readonly memory: MemorySpeed;
  readonly latency: Latency;
  readonly writing: { readonly tokens: number; readonly tokensPerSecond: number; readonly secondsToFirst: number };
}

/** Times products, memory, launches, and the loaded model's writing. @throws The reason of the signal. */
export async function measureSpeed(bench: Bench, _request: object, { report, signal }: CallContext<string>): Promise<MeasuredSpeed> {
  const { device, modelFacts } = bench;
  const doing = (what: string): void => {
    signal.throwIfAborted();
    report(what);
  };
  doing("launches");
  const latency = await measureLatency(device);
  doing("memory");
  const memory = await measureMemory(device);
  const products = await measureMatmul(device, doing);
  doing("writing");
  const text = [...modelFacts.characters].slice(0, Math.max(1, modelFacts.longestWord)).join("");
  const request = { words: [{ text, seed: 1, copy: 0 }], temperature: 1, topK: 0, withoutText: false, keepLogits: false };
  const { words, tokensPerSecond, secondsToFirst } = await writeWords(bench, request, { report: () => {}, signal });
  return { products, memory, latency, writing: { tokens: words[0]!.tokens.length, tokensPerSecond, secondsToFirst } };
}

/** What the engine holds and has done. Bytes are of the GPU's memory. */
export interface EngineStats {
  readonly bytesInUse: number;
  /** Kept to be used again. */
  readonly bytesPooled: number;
  readonly peakBytes: number;
  readonly pipelines: number;
  readonly dispatches: number;
  readonly bytesUploaded: number;
}

/** What the engine holds now, and has done since it was started. */
export async function engineStats({ device }: Pick<Bench, "device">, _request: object = {}): Promise<EngineStats> {
  const { bytesInUse, bytesPooled, peakBytes, pipelines, dispatches, bytesUploaded } = device.stats();
  return { bytesInUse, bytesPooled, peakBytes, pipelines, dispatches, bytesUploaded };
}
