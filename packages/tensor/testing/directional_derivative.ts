import { type Nd, nd } from "./nd.ts";

/**
 * The directional derivative J v of a float64 function, by central differences of fourth order:
 * (8 (f(x + hv) − f(x − hv)) − (f(x + 2hv) − f(x − 2hv))) / 12h, whose error is about 10⁻¹⁰ of f for smooth f of ordinary size.
 *
 * It is for checking gradients by the adjoint identity ⟨J v, u⟩ = ⟨v, Jᵀ u⟩ ({@linkcode expectAdjoint}): one random v and u test the
 * whole Jacobian at once. Inputs should stay clear of kinks (ReLU at 0, ties in a maximum) by more than 2h, and be of similar size.
 *
 * @param f a function of as many arrays as there are inputs.
 * @param directions one for each input, of its shape.
 * @example
 * ```ts
 * const jv = directionalDerivative((x) => oracle.softmax(x), [x], [v]);
 * ```
 */
export function directionalDerivative(f: (...inputs: Nd[]) => Nd, inputs: readonly Nd[], directions: readonly Nd[]): Nd {
  const greatest = inputs.reduce((max, { data }) => data.reduce((m, value) => Math.max(m, Math.abs(value)), max), 1);
  const h = 1e-5 * greatest;
  const shifted = (t: number) =>
    f(
      ...inputs.map((x, i) =>
        nd(
          x.shape,
          x.data.map((value, j) => value + t * directions[i]!.data[j]!),
        ),
      ),
    );
  const [ahead, behind, farAhead, farBehind] = [h, -h, 2 * h, -2 * h].map(shifted) as [Nd, Nd, Nd, Nd];
  const data = ahead.data.map((value, i) => (8 * (value - behind.data[i]!) - (farAhead.data[i]! - farBehind.data[i]!)) / (12 * h));
  return { shape: ahead.shape, data };
}

/** Σ aᵢ bᵢ. */
export function innerProduct(a: { data: ArrayLike<number> }, b: { data: ArrayLike<number> }): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i]! * b.data[i]!;
  return sum;
}
