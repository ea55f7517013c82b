import { scaledDotProductAttention } from "../../mod.ts";
import { attentionBound, type Nd, oracle, seededValues } from "../../testing/float64.ts";
import { adjointness, agreement, type KernelCase, type KernelCheck, upload } from "./kernel_check.ts";

interface Heads {
  /** Queries and keys. */
  readonly lengths: readonly [number, number];
  readonly headSize: number;
  readonly causal: boolean;
}

const inputsOf = ({ lengths: [queries, keys], headSize }: Heads, seed: number): [Nd, Nd, Nd] => [
  seededValues(seed, [2, queries, headSize]),
  seededValues(seed + 1, [2, keys, headSize]),
  seededValues(seed + 2, [2, keys, headSize]),
];

function forwardCase(heads: Heads, seed: number): KernelCase {
  const [q, k, v] = inputsOf(heads, seed);
  return agreement({
    launch: (device) => scaledDotProductAttention(upload(q, device), upload(k, device), upload(v, device), heads),
    exact: () => oracle.scaledDotProductAttention(q, k, v, heads),
    bound: () => attentionBound(q, k, v, heads),
  });
}

/** The presets' head size, in self-attention and in attention to a text of another length. */
const selfAttention: Heads = { lengths: [67, 67], headSize: 16, causal: true };
const crossAttention: Heads = { lengths: [67, 24], headSize: 16, causal: false };

/** Attention of queries to keys, with and without a causal mask. */
export const attentionCheck: KernelCheck = {
  id: "attention",
  name: "attention",
  cases: [forwardCase(selfAttention, 10), forwardCase(crossAttention, 20)],
};

/** The gradients of query, key and value. */
export const attentionGradientCheck: KernelCheck = {
  id: "attention-gradient",
  name: "attention gradient",
  cases: [
    { ...selfAttention, lengths: [19, 19] as const },
    { ...crossAttention, lengths: [11, 18] as const },
  ].map((heads) =>
    adjointness({
      inputs: inputsOf(heads, 30),
      forward: (q, k, v) => scaledDotProductAttention(q!, k!, v!, heads),
      formula: (q, k, v) => oracle.scaledDotProductAttention(q!, k!, v!, heads),
    }),
  ),
};
