import { gradientHook } from "../autograd/gradient_hook.ts";
import { HookError } from "../errors.ts";
import { Tensor } from "../tensor.ts";

/** Gradients of a module's inputs or outputs, in their order; null for what is no tensor or has none. */
export type Gradients = readonly (Tensor | null)[];

/**
 * Runs a module's computation so that backward shows `seen` the gradients of its inputs and outputs, once those of the inputs are
 * known. What `seen` returns, if anything, replaces the inputs' gradients. Where no input has a gradient (a look-up of tokens), `seen` runs
 * when those of the outputs are known.
 */
export function watchBackward<I extends readonly unknown[], O>(
  inputs: I,
  run: { forward: (inputs: I) => O; seen: (ofInputs: Gradients, ofOutputs: Gradients) => Gradients | undefined },
): O {
  const given: unknown[] = [...inputs];
  const places = given.flatMap((x, i) => (x instanceof Tensor && x.requiresGrad ? [i] : []));
  let ofOutputs: Gradients = [];
  if (places.length > 0) {
    const watched = gradientHook(
      places.map((i) => given[i] as Tensor),
      (gradients) => {
        const all: (Tensor | null)[] = given.map(() => null);
        for (const [k, i] of places.entries()) all[i] = gradients[k] ?? null;
        const replaced = run.seen(all, ofOutputs);
        return replaced && places.map((i) => replaced[i] ?? null);
      },
    );
    for (const [k, i] of places.entries()) given[i] = watched[k];
  }
  return mapOutputs(run.forward(given as unknown as I), (outputs) =>
    gradientHook(outputs, (gradients) => {
      ofOutputs = gradients;
      if (places.length === 0)
        run.seen(
          given.map(() => null),
          gradients,
        );
      return undefined;
    }),
  );
}

/** Puts other tensors in the places of those in a module's output: a tensor, or a list or record of tensors among other things. */
function mapOutputs<O>(output: O, replace: (tensors: Tensor[]) => Tensor[]): O {
  if (output instanceof Tensor) return replace([output])[0] as O;
  if (typeof output !== "object" || output === null)
    throw new HookError(`Expected a module that gives tensors, for a backward hook, but found one that gives ${typeof output}`);
  const entries = Object.entries(output);
  const tensors = entries.filter(([, value]) => value instanceof Tensor);
  const replaced = replace(tensors.map(([, value]) => value as Tensor));
  const changes = Object.fromEntries(tensors.map(([name], i) => [name, replaced[i]]));
  return (Array.isArray(output) ? Object.assign([...output], changes) : { ...output, ...changes }) as O;
}
