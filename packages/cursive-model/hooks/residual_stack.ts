import { fromHost, HookError, type HostTensor, stack, Tensor } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";
import type { ActivationCache } from "./activation_cache.ts";
import { type PosSlice, sliceAxis } from "./pos_slice.ts";

/** What reads the residual stream: by default the head, else a part of a block. */
export interface ResidualReader {
  /** The block that reads it; as many as there are blocks, or −1, or none: the head. */
  readonly layer?: number;
  /** That block's MLP, instead of its self-attention. */
  readonly mlpInput?: boolean;
  /** That block's cross-attention, instead of its self-attention. */
  readonly crossAttnInput?: boolean;
}

/** What stacks of parts of the residual stream have in common. */
export interface ResidualStackOptions extends ResidualReader {
  /** Put the stack through the normalisation of what reads it. Default false. */
  readonly applyLn?: boolean;
  /** Some of the stroke tokens that are cached. */
  readonly posSlice?: PosSlice;
  /** Give a label for each part too. */
  readonly returnLabels?: boolean;
}

/** A stack `[parts, B, T, C]`; with `returnLabels` its labels too. */
export type ResidualStack<O> = O extends { readonly returnLabels: true } ? readonly [components: Tensor, labels: string[]] : Tensor;

/** A part of a stack. */
export interface ResidualPart {
  readonly label: string;
  /** Its activation. */
  readonly name: string;
}

/** A model and what it has computed: on the GPU, or on the host. */
export interface CachedModel {
  readonly model: Transformer;
  readonly cache: Pick<ActivationCache<Tensor | HostTensor>, "get" | "hasPositions">;
}

/** The blocks before a reader. @throws RangeError for a layer that there is not, or two readers. */
export function blocksBefore({ config: { nLayer } }: Transformer, { layer = -1, mlpInput, crossAttnInput }: ResidualReader): number {
  if (mlpInput && crossAttnInput) throw new RangeError("Expected mlpInput or crossAttnInput but found both");
  const most = mlpInput || crossAttnInput ? nLayer - 1 : nLayer;
  const found = layer === -1 ? nLayer : layer;
  if (!Number.isInteger(found) || found < 0 || found > most) throw new RangeError(`Expected a layer from 0 to ${most} but found ${layer}`);
  return found;
}

/** Cached activations one behind the other, `[parts, B, T, C]`: what is the same for all sequences is repeated. */
export function stackParts(
  parts: readonly ResidualPart[],
  { model, cache, posSlice }: CachedModel & { readonly posSlice?: PosSlice | undefined },
): Tensor {
  if (parts.length === 0) throw new HookError("Expected parts of the residual stream but found that these options leave none");
  const values = parts.map(({ name }) => cachedPart(name, { model, cache, posSlice }));
  const { shape } = values.reduce((a, b) => (b.size > a.size ? b : a));
  return stack(values.map((value) => value.expand(shape)));
}

/** A cached activation `[.., T, n]` of some stroke tokens, on the model's device. @throws HookError if the cache has one token only. */
export function cachedPart(name: string, { model, cache, posSlice }: CachedModel & { readonly posSlice?: PosSlice | undefined }): Tensor {
  const value = onDeviceOf(model, cache.get(name));
  if (posSlice === undefined) return value;
  if (!cache.hasPositions) throw new HookError("Expected a cache of several tokens for posSlice but found one of a single token");
  return sliceAxis(value, { axis: value.rank - 2, slice: posSlice });
}

/** A value on the device of the model. */
export function onDeviceOf({ lm_head }: Transformer, value: Tensor | HostTensor): Tensor {
  return value instanceof Tensor ? value : fromHost(value, { device: lm_head.weight.device });
}
