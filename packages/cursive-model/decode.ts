import {
  type CapturedStep,
  type CompileProgress,
  capture,
  type HostTensor,
  KeyValueCache,
  noGrad,
  type RowProgram,
  type Tensor,
  tensor,
} from "@cursive/tensor";
import { tokenProgram } from "./token_program.ts";
import type { BlockCaches, Transformer } from "./transformer.ts";

/** Tokens and their places, `[B, 2]`, to logits. */
type NextToken = CapturedStep<[tokensAndPlaces: HostTensor], Tensor>;

/** A batch of texts, as {@link Decoder} takes them. */
export interface DecoderOptions {
  /** B: sequences side by side. */
  readonly batch: number;
  /** The texts' characters, `[B, S]` in rows. */
  readonly context: Int32Array<ArrayBuffer>;
  /** Write as if no text were given, see {@link ForwardOptions.ablateCrossAttention}. Default false. */
  readonly ablateCrossAttention?: boolean;
  /** Called while the step that takes a token compiles. */
  readonly onCompile?: CompileProgress;
}

/**
 * Goes on with a batch of sequences token by token. The keys and values of every layer stay on the GPU, those of the text too, so that a token
 * costs one place's work instead of the whole sequence's. A token is one captured step, the same however long the sequences have grown; one
 * launch for a small model, whose parameters are then those of the last start.
 *
 * Hooks do not see whole sequences here: a model that has any wants its forward pass instead.
 *
 * @example
 * ```ts
 * const decoder = new Decoder(model, { batch: 2, context });
 * let logits = await decoder.start(tokens); // [B, n] → [B, V], after the last of the n
 * logits = await decoder.next(drawn);       // [B] → [B, V]
 * decoder.release();
 * ```
 */
export class Decoder {
  readonly #model: Transformer;
  readonly #batch: number;
  readonly #context: Tensor;
  readonly #ablateCrossAttention: boolean;
  readonly #caches: readonly BlockCaches[];
  readonly #modules: readonly { readonly isHooked: boolean }[];
  /** A token in one launch, for a model that is small enough. */
  readonly #program: RowProgram | undefined;
  readonly #byProgram: NextToken | undefined;
  readonly #byModules: NextToken;

  /** @throws OutOfMemoryError if a layer's keys are more than the device can bind. */
  constructor(model: Transformer, { batch, context, ablateCrossAttention = false, onCompile }: DecoderOptions) {
    const { nLayer, nHead: heads, nEmbd, blockSize, contextBlockSize } = model.config;
    const { device } = model.lm_head.weight;
    const sizes = { batch, heads, headSize: nEmbd / heads, device };
    const perBlock = [
      { ...sizes, capacity: blockSize },
      { ...sizes, capacity: contextBlockSize },
    ] as const;
    const memory = KeyValueCache.together(Array.from({ length: nLayer }, () => perBlock).flat());
    this.#model = model;
    this.#batch = batch;
    this.#ablateCrossAttention = ablateCrossAttention;
    this.#context = tensor(context, { shape: [batch, contextBlockSize], device });
    this.#caches = Array.from({ length: nLayer }, (_, i) => ({ self: memory[2 * i]!, cross: memory[2 * i + 1]! }));
    this.#modules = [...model.namedModules()].map(([, module]) => module);
    this.#byModules = capture((both: Tensor) => this.#logits(column(both, 0), column(both, 1)), { device, onCompile });
    const program = tokenProgram(model, { batch, caches: this.#caches });
    if (program.obstacle) return;
    this.#program = program;
    this.#byProgram = capture((both: Tensor) => program.run(both), { device, onCompile });
  }

  /** Tokens taken so far. */
  get length(): number {
    return this.#caches[0]!.self.length;
  }

  /** Takes the sequences' first tokens, `[B, n]` in rows, and forgets all before. @returns The logits after the last ones, `[B, V]` in rows. */
  async start(tokens: Int32Array<ArrayBuffer>): Promise<Float32Array> {
    const { device } = this.#context;
    for (const cache of this.#caches.flatMap(({ self, cross }) => [self, cross])) cache.truncate(0);
    this.#program?.load();
    const logits = this.#logits(tensor(tokens, { shape: [this.#batch, tokens.length / this.#batch], device }));
    return (await logits.data()) as Float32Array;
  }

  /** Takes one more token a sequence, `[B]`. @returns The logits after it, `[B, V]` in rows. @throws RangeError beyond the model's block size. */
  async next(tokens: Int32Array<ArrayBuffer>): Promise<Float32Array> {
    const next = this.#modules.some((module) => module.isHooked) ? this.#byModules : (this.#byProgram ?? this.#byModules);
    const data = Int32Array.from({ length: 2 * this.#batch }, (_, i) => (i % 2 ? this.length : tokens[i / 2]!));
    const logits = await next({ shape: [this.#batch, 2], dtype: "i32", data });
    return (await logits.data()) as Float32Array;
  }

  /** Forgets all but the first `length` tokens. @throws RangeError if there are not so many. */
  rewind(length: number): void {
    for (const { self } of this.#caches) self.truncate(length);
  }

  /** Gives the memory back now. The decoder cannot be used any more. */
  release(): void {
    this.#byProgram?.destroy();
    this.#byModules.destroy();
    this.#program?.release();
    for (const { self, cross } of this.#caches) {
      self.release();
      cross.release();
    }
  }

  #logits(tokens: Tensor, places?: Tensor): Tensor {
    const { transformer, lm_head } = this.#model;
    const continuation = { caches: this.#caches, ...(places && { places }) };
    return noGrad(() => {
      const x = transformer.call(tokens, this.#context, { continuation, ablateCrossAttention: this.#ablateCrossAttention });
      return lm_head.call(x.narrow(1, { start: x.shape[1]! - 1, length: 1 }));
    });
  }
}

/** `[B, n]` → `[B, 1]` */
function column(x: Tensor, start: number): Tensor {
  return x.narrow(1, { start, length: 1 });
}
