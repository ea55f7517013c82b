import { type Device, type Tensor, tensor } from "../../mod.ts";
import { type Adjoint, directionalDerivative, type Nd, seededValues } from "../../testing/float64.ts";

/** An op of the engine, compared with float64. */
export interface KernelCheck {
  /** Stable name for programs. */
  readonly id: string;
  readonly name: string;
  readonly cases: readonly KernelCase[];
}

/** One comparison. Launching and judging are apart, so that a recording of the launches tells which pipelines to compile. */
export interface KernelCase {
  /** Gives a GPU its work. Called twice for each kernel family: to record it, and to do it. */
  launch(device: Device): readonly Tensor[];
  /** The worst error of what was launched, in units of its bound: up to 1 is right. */
  error(values: readonly ArrayLike<number>[]): number;
}

/** A case whose result has a bound for every element; 0 asks for the exact number. */
export function agreement(about: { launch: (device: Device) => Tensor; exact: () => Nd; bound: (exact: Nd) => Nd | number }): KernelCase {
  const expected = once(() => {
    const exact = about.exact();
    return { exact, bound: about.bound(exact) };
  });
  return {
    launch: (device) => [about.launch(device)],
    error: ([actual]) => errorInBounds(actual!, expected().exact.data, expected().bound),
  };
}

/** How far from equal the two sides of the adjoint identity may be, as a share of the sizes of all their terms. */
const ADJOINT_TOLERANCE = 1e-5;

/** A case for gradients: ⟨Jv, u⟩ = ⟨v, Jᵀu⟩ with random u and v, where J comes from differences of the formula in float64. */
export function adjointness(about: {
  inputs: readonly Nd[];
  forward: (...inputs: Tensor[]) => Tensor;
  formula: (...inputs: Nd[]) => Nd;
}): KernelCase {
  const { inputs, forward, formula } = about;
  const directions = inputs.map((x, i) => seededValues(71 + i, x.shape));
  const derivative = once(() => directionalDerivative(formula, inputs, directions));
  const cotangentOf = (shape: readonly number[]): Nd => seededValues(70, shape);
  return {
    launch(device) {
      const leaves = inputs.map((x) => upload(x, device, { requiresGrad: true }));
      const out = forward(...leaves);
      out.backward({ gradient: upload(cotangentOf(out.shape), device) });
      return leaves.map((leaf) => leaf.grad!);
    },
    error(values) {
      const gradients = values.map((data) => ({ data }));
      return adjointError({ derivative: derivative(), cotangent: cotangentOf(derivative().shape), gradients, directions });
    },
  };
}

/** The worst |actual − expected| / bound; infinite where there should be a number and is none. */
export function errorInBounds(actual: ArrayLike<number>, expected: ArrayLike<number>, bound: Nd | number): number {
  let worst = actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    if (error === 0) continue;
    const ratio = error / (typeof bound === "number" ? bound : bound.data[i]!);
    worst = Math.max(worst, Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio);
  }
  return worst;
}

/** |⟨Jv, u⟩ − Σ ⟨vᵢ, gᵢ⟩| in units of what f32 gradients may differ by. */
function adjointError({ derivative, cotangent, gradients, directions }: Adjoint): number {
  let [difference, size] = [0, 0];
  const add = (a: ArrayLike<number>, b: ArrayLike<number>, sign: number): void => {
    for (let i = 0; i < a.length; i++) {
      difference += sign * a[i]! * b[i]!;
      size += Math.abs(a[i]! * b[i]!);
    }
  };
  add(derivative.data, cotangent.data, 1);
  for (const [i, direction] of directions.entries()) add(direction.data, gradients[i]!.data, -1);
  const ratio = Math.abs(difference) / (ADJOINT_TOLERANCE * size);
  return Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
}

/** An oracle's array on a GPU, as f32. */
export function upload(x: Nd, device: Device, options: { readonly requiresGrad?: boolean } = {}): Tensor {
  return tensor(Float32Array.from(x.data), { shape: x.shape, device, ...options });
}

/** An oracle's whole numbers on a GPU, as i32. */
export function uploadIndices(x: Nd, device: Device): Tensor {
  return tensor(Int32Array.from(x.data), { shape: x.shape, device });
}

/** A value made at the first call and kept: oracles are slow, and every family wants the same. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
