import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { MAX_HEAD_SIZE } from "./attention/form.ts";
import { type Attributes, launchBackward, launchForward } from "./attention/launch.ts";

/** Options of {@link scaledDotProductAttention}. */
export interface AttentionOptions {
  /** Place i sees places 0 … i only, counted from the first query and the first key. Default false. */
  readonly causal?: boolean;
  /** What scores are multiplied by. Default 1 / √D. */
  readonly scale?: number;
}

const attentionOp: Op<Attributes> = {
  name: "scaledDotProductAttention",
  check([query, key, value]) {
    checkOperands(query!, key!, value!);
  },
  forward([query, key, value], attributes) {
    const { output, logsumexp } = launchForward({ query: query!, key: key!, value: value! }, attributes);
    return [output, logsumexp];
  },
  gradient({ inputs: [query, key, value], outputs: [output, logsumexp], gradients: [gradient], attributes, needs }) {
    const saved = { query: query!, key: key!, value: value!, output: output!, logsumexp: logsumexp!, gradient: gradient! };
    return launchBackward(saved, { ...attributes, needsQuery: needs[0]!, needsKeyValue: needs[1]! || needs[2]! });
  },
};

/**
 * softmax(scale · q kᵀ) v, PyTorch's `scaled_dot_product_attention` (Vaswani et al., arXiv 1706.03762) without dropout. The scores are
 * never stored (flash attention), forward or backward, so memory grows with T, not T².
 *
 * query `[.., T, D]`, key and value `[.., S, D]` with equal leading axes, usually `[B, H]` → `[.., T, D]`. Head size D is at most 128. Any
 * views are taken; those that a packed projection is split into cost no copy, forward or backward. With four axes or more the result lies
 * in memory as `[.., T, H, D]`, so that joining the heads again is free.
 *
 * @example
 * ```ts
 * const [q, k, v] = projection.forward(x).split(C, 2).map((t) => t.reshape([B, T, H, D]).transpose(1, 2));
 * const y = scaledDotProductAttention(q, k, v, { causal: true }).transpose(1, 2).reshape([B, T, C]);
 * ```
 * @throws ShapeError for shapes that do not match. @throws DTypeError for anything but f32.
 */
export function scaledDotProductAttention(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions = {}): Tensor {
  const { causal = false, scale = 1 / Math.sqrt(query.shape.at(-1) ?? 1) } = options;
  return apply(attentionOp, [query, key, value], { causal, scale });
}

function checkOperands(query: Tensor, key: Tensor, value: Tensor): void {
  const tensors = [query, key, value];
  const found = tensors.map((t) => format(t.shape)).join(", ");
  const expect = (holds: boolean, rule: string): void => {
    if (!holds) throw new ShapeError(`scaledDotProductAttention: expected ${rule} but found q, k, v of shapes ${found}`);
  };
  const other = tensors.find((t) => t.dtype !== "f32");
  if (other) throw new DTypeError(`scaledDotProductAttention: expected f32 but found ${other.dtype}`);
  const leading = format(query.shape.slice(0, -2));
  expect(
    tensors.every((t) => t.rank >= 2),
    "two axes or more",
  );
  expect(
    tensors.every((t) => format(t.shape.slice(0, -2)) === leading),
    "equal leading axes",
  );
  expect(key.shape.at(-2) === value.shape.at(-2), "as many keys as values");
  const size = query.shape.at(-1)!;
  expect(
    tensors.every((t) => t.shape.at(-1) === size),
    "one head size",
  );
  expect(size >= 1 && size <= MAX_HEAD_SIZE, `a head size (last axis) of 1 to ${MAX_HEAD_SIZE}`);
}
