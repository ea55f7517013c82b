import { generate, StrokeTokenizer, Transformer } from "@cursive/cursive-model";
import type { HostTensor } from "@cursive/tensor";
import { Decoder } from "../../packages/cursive-model/decode.ts";
import { wholeSequence } from "../../packages/cursive-model/whole_sequence.ts";
import type { TokenCase, WriteCase } from "../cases.ts";
import { GPT, gptBatch, gptParameters } from "../work/gpt.ts";
import { uniformValues } from "../work/values.ts";
import type { Work } from "./engine.ts";

/** One more token a step, by kept keys and values: the same one each time, after as many others. */
export function nextToken({ texts, length }: TokenCase): Work {
  const model = makeModel(length + 1);
  const { tokens, context } = gptBatch(texts, length + 1);
  const first = new Int32Array(texts * length);
  for (let i = 0; i < texts; i++) first.set(tokens.subarray(i * (length + 1), i * (length + 1) + length), i * length);
  const last = Int32Array.from({ length: texts }, (_, i) => tokens[i * (length + 1) + length]!);
  let decoder: Decoder | undefined;
  let result: Float32Array | undefined;
  return {
    prepare: async () => {
      if (decoder) return;
      decoder = new Decoder(model, { batch: texts, context });
      await decoder.start(first);
    },
    start: async () => {
      decoder!.rewind(length);
      result = await decoder!.next(last);
      return { finished: async () => Number.NaN };
    },
    check: async () => sumOfSquares(result!),
  };
}

/** One more token a step, from the whole sequences. */
export function nextTokenAnew({ texts, length }: TokenCase): Work {
  const model = makeModel(length + 1);
  const { tokens, context } = gptBatch(texts, length + 1);
  const inputs: [HostTensor, HostTensor, HostTensor] = [
    { shape: [texts, length + 1], dtype: "i32", data: tokens },
    { shape: [texts, GPT.context], dtype: "i32", data: context },
    { shape: [1], dtype: "i32", data: Int32Array.of(length) },
  ];
  let result: Float32Array | undefined;
  return {
    start: async () => {
      result = (await (await wholeSequence(model, false)(...inputs)).data()) as Float32Array;
      return { finished: async () => Number.NaN };
    },
    check: async () => sumOfSquares(result!),
  };
}

/** Whole texts a step, as `sample` writes them. The likeliest token is taken each time, and it is never END. */
export function write({ texts, length }: WriteCase, keepsKeys: boolean): Work {
  const tokenizer = new StrokeTokenizer({ bins: "polar-151", decode: "centre" });
  const model = makeModel(length, tokenizer.endToken);
  const written = Array.from({ length: texts }, (_, i) => `${i} words`);
  let result = Number.NaN;
  return {
    start: async () => {
      const all = await generate(model, { tokenizer, texts: written, temperature: 0, cache: keepsKeys });
      result = all.flatMap((tokens) => [...tokens]).reduce((sum, token, i) => sum + token * (1 + (i % 7)), 0);
      return { finished: async () => Number.NaN };
    },
    check: async () => result,
  };
}

/** The bench's model, with room for so many places. With `never`, the last layer normalisation and the head keep a token from being drawn. */
function makeModel(blockSize: number, never?: number): Transformer {
  const { layers: nLayer, heads: nHead, width: nEmbd, vocabulary: vocabSize, characters, context: contextBlockSize } = GPT;
  const model = new Transformer({ nLayer, nHead, nEmbd, blockSize, contextBlockSize, vocabSize, contextVocabSize: characters });
  const state = new Map(
    gptParameters(blockSize).map(([name, values], stream) => [
      name,
      { shape: values.shape, dtype: "f32" as const, data: uniformValues(values, stream) },
    ]),
  );
  if (never !== undefined) {
    state.get("transformer.ln_f.bias")!.data[0] = 100;
    const head = state.get("lm_head.weight")!.data;
    for (let token = 0; token < vocabSize; token++) head[token * nEmbd] = token === never ? -1 : 0;
  }
  model.loadStateDict(state);
  return model;
}

function sumOfSquares(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}
