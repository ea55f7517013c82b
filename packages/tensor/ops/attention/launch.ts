import type { Tensor } from "../../tensor.ts";
import { empty } from "../copy.ts";
import { chooseForm, type Form } from "./form.ts";
import { emptyHeads, headsOf, packedLike, readable, sideBySide } from "./layout.ts";

/** Attributes of an attention, complete. */
export interface Attributes {
  readonly causal: boolean;
  readonly scale: number;
}

/** query `[.., T, D]`, key and value `[.., S, D]`. */
export interface Inputs {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** Softmax-weighted values `[.., T, D]`, and the logarithm (base 2) of every row's softmax denominator `[.., T]`. */
export function launchForward(inputs: Inputs, attributes: Attributes): { output: Tensor; logsumexp: Tensor } {
  const { device } = inputs.query;
  const output = emptyHeads(inputs.query);
  const logsumexp = empty(output.shape.slice(0, -1), { device });
  const [query, key, value] = readable([inputs.query, inputs.key, inputs.value], [output]) as [Tensor, Tensor, Tensor];
  const { params, heads, form } = plan({ query, key, value, output }, attributes);
  device.run(form.kernel("forward"), {
    bindings: { query: query.whole, key: key.whole, value: value.whole, result: output.whole, rowResult: logsumexp },
    params,
    workgroups: form.workgroups(heads, output.shape.at(-2)!),
  });
  return { output, logsumexp };
}

/** What forward saved, and the gradient `[.., T, D]` of its output. */
export interface Saved extends Inputs {
  readonly output: Tensor;
  readonly logsumexp: Tensor;
  readonly gradient: Tensor;
}

/** Which gradients are wanted; those of key and value come together. */
export interface Needs {
  readonly needsQuery: boolean;
  readonly needsKeyValue: boolean;
}

/** The gradients of query, key and value; null where not wanted. */
export function launchBackward(saved: Saved, options: Attributes & Needs): (Tensor | null)[] {
  const { output, logsumexp } = saved;
  const { device } = output;
  const gradients = gradientMemory(saved, options);
  const inputs = [saved.query, saved.key, saved.value, saved.gradient];
  const [query, key, value, gradient] = readable(inputs, [output, ...Object.values(gradients)]) as [Tensor, Tensor, Tensor, Tensor];
  const { params, heads, form } = plan({ query, key, value, output, gradient, ...gradients }, options);
  const [queries, keys] = [query.shape.at(-2)!, key.shape.at(-2)!];

  const delta = empty(logsumexp.shape, { device });
  const bindings = { query: query.whole, key: key.whole, value: value.whole, gradient: gradient.whole, logsumexp };
  const { queryGradient = null, keyGradient = null, valueGradient = null } = gradients;
  if (queryGradient) {
    device.run(form.kernel("backward_query"), {
      bindings: { ...bindings, output: output.whole, result: queryGradient.whole, rowResult: delta },
      params,
      workgroups: form.workgroups(heads, queries),
    });
  } else {
    device.run(form.rowDots, {
      bindings: { output: output.whole, gradient: gradient.whole, rowResult: delta },
      params,
      workgroups: Math.ceil((heads * queries) / 64),
    });
  }
  if (keyGradient) {
    device.run(form.kernel("backward_key_value"), {
      bindings: { ...bindings, delta, result: keyGradient.whole },
      params,
      workgroups: form.workgroups(heads, keys),
    });
  }
  return [queryGradient, keyGradient, valueGradient];
}

type Gradients = Partial<Record<"queryGradient" | "keyGradient" | "valueGradient", Tensor>>;

/** Packed as the inputs are, unless the kernels could not walk the leading axes of all of them together. */
function gradientMemory({ query, key, value, output }: Saved, { needsQuery, needsKeyValue }: Needs): Gradients {
  const allot = (pack: (parts: readonly Tensor[]) => Tensor[] | undefined): Gradients => {
    const whole = needsQuery && needsKeyValue ? pack([query, key, value]) : undefined;
    const [queryGradient] = whole ?? (needsQuery ? (pack([query]) ?? sideBySide([query])) : []);
    const [keyGradient, valueGradient] = whole?.slice(1) ?? (needsKeyValue ? (pack([key, value]) ?? sideBySide([key, value])) : []);
    return { ...(queryGradient && { queryGradient }), ...(keyGradient && valueGradient && { keyGradient, valueGradient }) };
  };
  const packed = allot(packedLike);
  return headsOf([output, ...Object.values(packed)]) ? packed : allot(() => undefined);
}

/** The kernels' parameters, and the form of the kernels that suits the operands' layout. `operands` go by their names in the shaders. */
function plan(
  operands: Readonly<Record<string, Tensor>> & Pick<Inputs, "query" | "key">,
  { causal, scale }: Attributes,
): { params: Readonly<Record<string, number | readonly number[]>>; heads: number; form: Form } {
  const [queries, headSize] = operands.query.shape.slice(-2) as [number, number];
  const { count, inner, places } = headsOf(Object.values(operands))!;
  const layouts = Object.fromEntries(Object.keys(operands).map((name, i) => [`${name}Layout`, places[i]!]));
  const keys = operands.key.shape.at(-2)!;
  const isAligned = headSize % 4 === 0 && places.flat().every((n) => n % 4 === 0);
  return {
    params: { heads: count, inner, queries, keys, headSize, causal: Number(causal), scale, ...layouts },
    heads: count,
    form: chooseForm(operands.query.device, { headSize, isAligned }),
  };
}
