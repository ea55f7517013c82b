import { applyAll } from "../autograd/apply.ts";
import type { GradientContext, Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";
import { expectDType } from "./elementwise.ts";
import { COMBINE, fold } from "./reduce/fold.ts";
import { inFours, stretchesOf } from "./rows.ts";

/** Options of {@link jumpRelu}. */
export interface JumpReluOptions {
  /** ε: width of the window around a threshold in which it gets gradients. */
  readonly bandwidth: number;
}

/** Options of {@link jumpReluSums}. */
export interface JumpReluSumsOptions extends JumpReluOptions {
  /** s `[F]`: the sums are of tanh(s·f). Without, they are of H(z − θ). */
  readonly tanhScale?: Tensor;
}

/** What {@link jumpReluSums} gives. */
export interface JumpReluSums {
  /** f = z·H(z − θ), of z's shape. */
  readonly y: Tensor;
  /** Of each column, Σ tanh(s·f) or Σ H(z − θ), `[F]`. */
  readonly sums: Tensor;
  /** Of each column, Σ max(θ − z, 0): by how much it stays below, `[F]`. */
  readonly missing: Tensor;
  /** On how many rows each column is above its threshold, `[F]` f32, without gradient. */
  readonly counts: Tensor;
}

interface Attributes {
  readonly bandwidth: number;
  readonly hasSums: boolean;
}

/** Inputs: z `[.., F]`, θ `[F]`, and s `[F]` for tanh. Outputs: y, and with sums those, what is missing, and counts. */
const jumpReluOp: Op<Attributes> = {
  name: "jumpRelu",
  check(inputs) {
    for (const t of inputs) expectDType("jumpRelu", t, ["f32"]);
    const [z, ...ofColumns] = inputs as [Tensor, ...Tensor[]];
    const expected = format([z.shape.at(-1) ?? Number.NaN]);
    for (const t of ofColumns)
      if (z.rank === 0 || format(t.shape) !== expected)
        throw new ShapeError(
          `jumpRelu: expected thresholds and scales [F] for z [.., F] but found ${format(t.shape)} for ${format(z.shape)}`,
        );
  },
  forward([z, theta, scale], { hasSums }) {
    const { device } = z!;
    const width = z!.shape.at(-1)!;
    const { VEC, sizes, workgroups } = deal(z!);
    const y = empty(z!.shape, { device });
    const partials = hasSums ? empty([sizes.stretches, 3, width], { device }) : undefined;
    device.run(kernel("jump_relu", "forward", { VEC, SUMS: hasSums, TANH: scale !== undefined }), {
      bindings: { z: dense(z!), theta: dense(theta!), y, ...(scale && { scale: dense(scale) }), ...(partials && { partials }) },
      params: sizes,
      workgroups,
    });
    if (!partials) return [y];
    const totals = fold(partials, { kept: [1, 2], reduced: [0], shape: [3, width], length: sizes.stretches }, { combine: COMBINE.add });
    return [y, totals.select(0, 0), totals.select(0, 1), totals.select(0, 2)];
  },
  gradient,
  visible: 4,
};

function gradient({ inputs, gradients, needs, attributes: { bandwidth } }: GradientContext<Attributes>): (Tensor | null)[] {
  const [z, theta, scale] = inputs as [Tensor, Tensor, Tensor | undefined];
  const [dy, dsums, dmissing] = gradients as (Tensor | null | undefined)[];
  const { device } = z;
  const width = z.shape.at(-1)!;
  const { VEC, sizes, workgroups } = deal(z);
  const PARAMETERS = Boolean(needs[1] || needs[2]);
  const dz = empty(z.shape, { device });
  const partials = PARAMETERS ? empty([sizes.stretches, 2, width], { device }) : undefined;
  const given = (t: Tensor | null | undefined): Tensor => (t ? dense(t) : theta);
  device.run(kernel("jump_relu", "gradient", { VEC, TANH: scale !== undefined, PARAMETERS }), {
    bindings: {
      z: dense(z),
      theta: dense(theta),
      dz,
      dy: dy ? dense(dy) : dense(z),
      dsums: given(dsums),
      dmissing: given(dmissing),
      ...(scale && { scale: dense(scale) }),
      ...(partials && { partials }),
    },
    params: {
      ...sizes,
      epsilon: bandwidth,
      hasDy: Number(Boolean(dy)),
      hasSums: Number(Boolean(dsums)),
      hasMissing: Number(Boolean(dmissing)),
    },
    workgroups,
  });
  if (!partials) return [dz, null, ...(scale ? [null] : [])];
  const totals = fold(partials, { kept: [1, 2], reduced: [0], shape: [2, width], length: sizes.stretches }, { combine: COMBINE.add });
  return [dz, totals.select(0, 0), ...(scale ? [totals.select(0, 1)] : [])];
}

/** How rows are dealt out: each invocation has some columns of a stretch of them. */
function deal({ device, shape, size }: Tensor) {
  const width = shape.at(-1)!;
  const VEC = inFours(width);
  const columns = width / (VEC ? 4 : 1);
  const rows = width === 0 ? 0 : size / width;
  const stretches = stretchesOf(device, { rows, columns });
  return { VEC, sizes: { rows, columns, stretches }, workgroups: Math.ceil((columns * stretches) / 64) };
}

/**
 * JumpReLU, f = z·H(z − θ) of `[.., F]` with a threshold for each column, `[F]`, and its straight-through gradient: ∂f/∂z = H(z − θ) and
 * ∂f/∂θ = −(θ/ε) K((z − θ)/ε) with the rectangle K (Rajamanoharan et al., arXiv 2407.14435, eq. 11).
 *
 * @example
 * ```ts
 * const features = jumpRelu(preActivations, thresholds, { bandwidth: 0.05 }); // [B, F], [F] → [B, F]
 * ```
 * @throws ShapeError if thresholds are not `[F]`, DTypeError for anything but f32.
 */
export function jumpRelu(z: Tensor, theta: Tensor, { bandwidth }: JumpReluOptions): Tensor {
  return applyAll(jumpReluOp, [z, theta], { bandwidth, hasSums: false })[0]!;
}

/**
 * {@link jumpRelu} with the columns' sums that autoencoders are trained on, in one pass each way. Of H(z − θ) only the threshold gets a gradient,
 * −(1/ε) K((z − θ)/ε) (eq. 12).
 *
 * @example
 * ```ts
 * const { y, sums } = jumpReluSums(preActivations, thresholds, { bandwidth: 0.5, tanhScale: W_dec.norm({ axis: 1 }).mul(4) });
 * const sparsity = sums.sum().mul(coefficient / B);
 * ```
 * @throws ShapeError if thresholds or scales are not `[F]`, DTypeError for anything but f32.
 */
export function jumpReluSums(z: Tensor, theta: Tensor, { bandwidth, tanhScale }: JumpReluSumsOptions): JumpReluSums {
  const inputs = [z, theta, ...(tanhScale ? [tanhScale] : [])];
  const [y, sums, missing, counts] = applyAll(jumpReluOp, inputs, { bandwidth, hasSums: true }) as [Tensor, Tensor, Tensor, Tensor];
  return { y, sums, missing, counts: counts.detach() };
}
