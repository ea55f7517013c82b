import type { HostTensor } from "@cursive/tensor";
import type { StrokeTokenizer } from "../data/tokenizer.ts";
import type { Transformer } from "../transformer.ts";
import { type AttentionHead, attentionHeads } from "./ablate_heads.ts";
import { type AttentionMap, type AttentionScores, attentionScores, pathMass, readingPath } from "./attention_scores.ts";

/** One head's attention over one text's ink, with its figures. */
export interface HeadAttention extends AttentionHead, AttentionScores {
  /** Of cross-attention, the share on the letter being written as {@linkcode readingPath} has it; null for self-attention. */
  readonly letterMass: number | null;
  readonly map: AttentionMap;
}

/** The attention of all heads over one text's ink. */
export interface TextAttention {
  readonly text: string;
  /** The characters that are attended to, without padding. */
  readonly characters: readonly string[];
  /** `[rows]`: the ink. */
  readonly tokens: Int32Array;
  /** `[rows]`: which character each token writes, as far as attention tells. */
  readonly path: Int32Array;
  readonly heads: readonly HeadAttention[];
}

/**
 * How each head of a model attends while it reads ink of a text. Rows are ink only; of what comes after it, END and padding, no token
 * of the ink knows.
 *
 * @throws {RangeError} for a text or ink that is empty or too long for the model.
 * @example
 * ```ts
 * const { heads } = await measureAttention(model, { text: "hello", tokens, tokenizer });
 * ```
 */
export async function measureAttention(
  model: Transformer,
  { text, tokens, tokenizer }: { readonly text: string; readonly tokens: Int32Array; readonly tokenizer: StrokeTokenizer },
): Promise<TextAttention> {
  const { contextBlockSize: characters, nHead } = model.config;
  const letters = [...text];
  if (letters.length === 0 || letters.length > characters || tokens.length === 0)
    throw new RangeError(
      `Expected ink of 1 to ${characters} characters but found ${letters.length} characters and ${tokens.length} tokens`,
    );
  const rows = tokens.length;
  const ids = (data: Int32Array): HostTensor => ({ shape: [1, data.length], dtype: "i32", data });
  const { cache } = await model.runWithCache(ids(tokens), ids(tokenizer.encodeText(text, { length: characters })), {
    namesFilter: "blocks.*.*.hook_pattern",
    device: "cpu",
  });
  const maps = attentionHeads(model.config).map((head) => {
    const { data } = cache.get(`blocks.${head.layer}.${head.attention}.hook_pattern`); // [1, H, T, keys]
    const keys = head.attention === "attn" ? rows : characters;
    const size = data.length / nHead;
    const weights = Float32Array.from(data.subarray(head.head * size, (head.head + 1) * size));
    return { ...head, map: { weights, rows, keys, real: head.attention === "attn" ? rows : letters.length } };
  });
  const path = readingPath(maps.filter(({ attention }) => attention === "cross_attn").map(({ map }) => map));
  const heads = maps.map((head) => ({
    ...head,
    ...attentionScores(head.map),
    letterMass: head.attention === "attn" ? null : pathMass(head.map, path),
  }));
  return { text, characters: letters, tokens, path, heads };
}
