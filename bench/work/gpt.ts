import { type NamedValues, wholeValues } from "./values.ts";

/** Sizes of the model and settings of its optimizer: the PyTorch original's. */
export const GPT = {
  layers: 4,
  heads: 4,
  width: 64,
  vocabulary: 455,
  characters: 72,
  context: 50,
  lr: 1e-2,
  betas: [0.9, 0.99],
  epsilon: 1e-8,
  weightDecay: 1e-4,
} as const;

/** Streams of the data, apart from those of the parameters. */
const STREAMS = { tokens: 1001, targets: 1002, context: 1003 } as const;

/** The model's parameters under the original's names, weights as `[out, in]`. */
export function gptParameters(length: number): NamedValues {
  const { layers, width: C, vocabulary, characters, context } = GPT;
  const linear = (name: string, out: number, inner: number) =>
    [
      [`${name}.weight`, { shape: [out, inner], spread: inner ** -0.5 }],
      [`${name}.bias`, { shape: [out], spread: 0 }],
    ] as const;
  const norm = (name: string) =>
    [
      [`${name}.weight`, { shape: [C], spread: 0, center: 1 }],
      [`${name}.bias`, { shape: [C], spread: 0 }],
    ] as const;
  const block = (i: number): NamedValues => [
    ...norm(`transformer.h.${i}.ln_1`),
    ...linear(`transformer.h.${i}.attn.c_attn`, 3 * C, C),
    ...linear(`transformer.h.${i}.attn.c_proj`, C, C),
    ...norm(`transformer.h.${i}.ln_2`),
    ...linear(`transformer.h.${i}.cross_attn.c_attn_q`, C, C),
    ...linear(`transformer.h.${i}.cross_attn.c_attn_kv`, 2 * C, C),
    ...linear(`transformer.h.${i}.cross_attn.c_proj`, C, C),
    ...norm(`transformer.h.${i}.ln_3`),
    ...linear(`transformer.h.${i}.mlp.c_fc`, 4 * C, C),
    ...linear(`transformer.h.${i}.mlp.c_proj`, C, 4 * C),
  ];
  return [
    ["transformer.wte.weight", { shape: [vocabulary, C], spread: 1 }],
    ["transformer.wpe.weight", { shape: [length, C], spread: 1 }],
    ["transformer.wce.weight", { shape: [characters, C], spread: 1 }],
    ["transformer.wcpe.weight", { shape: [context, C], spread: 1 }],
    ...Array.from({ length: layers }, (_, i) => block(i)).flat(),
    ...norm("transformer.ln_f"),
    ["lm_head.weight", { shape: [vocabulary, C], spread: C ** -0.5 }],
  ];
}

/** Tokens and targets `[B, T]`, characters `[B, S]`. */
export interface GptBatch {
  readonly tokens: Int32Array<ArrayBuffer>;
  readonly targets: Int32Array<ArrayBuffer>;
  readonly context: Int32Array<ArrayBuffer>;
}

/** The batch that is trained on, over and over. */
export function gptBatch(batch: number, length: number): GptBatch {
  const { vocabulary, characters, context } = GPT;
  return {
    tokens: wholeValues(batch * length, { limit: vocabulary, stream: STREAMS.tokens }),
    targets: wholeValues(batch * length, { limit: vocabulary, stream: STREAMS.targets }),
    context: wholeValues(batch * context, { limit: characters, stream: STREAMS.context }),
  };
}
