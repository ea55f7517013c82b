import { applyAll } from "../autograd/apply.ts";
import type { GradientContext, Op } from "../autograd/node.ts";
import type { Range } from "../device/command.ts";
import type { Device } from "../device/device.ts";
import { kernel } from "../device/kernel.ts";
import { ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty, full } from "./copy.ts";
import { expectDType } from "./elementwise.ts";
import { gemm } from "./gemm/gemm.ts";
import { linear } from "./linear.ts";
import { matmul } from "./matmul.ts";
import { mseLoss } from "./mse_loss.ts";
import { COMBINE, fold } from "./reduce/fold.ts";
import { reluSums } from "./relu_sums.ts";
import { inFours, rowsOf } from "./rows.ts";

/** The parameters of {@link reluAutoencoder}. */
export interface ReluAutoencoderParameters {
  /** `[D, F]` */
  readonly encoder: Tensor;
  /** `[F]` */
  readonly encoderBias: Tensor;
  /** `[F, D]` */
  readonly decoder: Tensor;
  /** `[D]` */
  readonly decoderBias: Tensor;
}

/** Options of {@link reluAutoencoder}. */
export interface ReluAutoencoderOptions {
  /** Subtract the decoder's bias from `x` before encoding. Default true. */
  readonly centered?: boolean;
  /** Factor of `error`: 1 / B makes it a mean over rows. Default 1. */
  readonly errorScale?: number;
  /** Factor of `total`: λ / B makes it an L1 penalty, for features are not negative. Default 1. */
  readonly totalScale?: number;
}

/** What {@link reluAutoencoder} gives. */
export interface ReluAutoencoder {
  /** f `[B, F]` */
  readonly features: Tensor;
  /** Sums of f's columns, `[F]`. */
  readonly sums: Tensor;
  /** On how many rows each feature is above 0, `[F]` f32, without gradient. */
  readonly counts: Tensor;
  /** y `[B, D]` */
  readonly reconstruction: Tensor;
  /** errorScale · Σ (y − x)², `[]`. */
  readonly error: Tensor;
  /** totalScale · Σ f, `[]`. */
  readonly total: Tensor;
  /** error + total, `[]`. */
  readonly loss: Tensor;
}

type Attributes = Required<ReluAutoencoderOptions>;

/** Features that a lane works on: twice as many where it holds nothing but their weights. */
const COLUMNS = { encode: 8, backward: 4 } as const;
/** Rows that the way back takes at a time. */
const ROWS = 2;
/** Workgroups that even out the two halves in which software adapters deal them to their threads. */
const WORKGROUPS = 32;
/** Rows that repay the loading of a panel of weights; rows that one workgroup may add up, which bounds the rounding error. */
const SHORTEST_STRETCH = 64;
const LONGEST_STRETCH = 4096;
/** Invocations that keep a software adapter busy with short work, and rows of it that one of them may add up. */
const BUSY = 512;
const LONGEST_SUM = 1024;

/** Elements of a row that the kernels hold: the least that suffices, or undefined where none does. */
function panelWidth(device: Device, width: number): number | undefined {
  if (device.family !== "panel" || device.subgroupSize === 0) return undefined;
  return [32, 64].find((size) => width <= size && size % (4 * device.subgroupSize) === 0);
}

/** How the work is dealt out: workgroups side by side, each with some features, and how many of them one below the other. */
function deal(
  device: Device,
  { rows, features, columns }: { rows: number; features: number; columns: number },
): {
  blocks: number;
  stretches: number;
  stretch: number;
} {
  const blocks = Math.ceil(features / (device.subgroupSize * columns));
  const wanted = Math.min(Math.ceil(WORKGROUPS / blocks), Math.floor(rows / SHORTEST_STRETCH));
  const stretch = Math.ceil(rows / Math.max(1, wanted, Math.ceil(rows / LONGEST_STRETCH)));
  return { blocks, stretch, stretches: Math.ceil(rows / stretch) };
}

/** Where a batch lies: rows at any stride; and whether its rows, and those of its features, can be taken as vectors of four. */
function placeOf(x: Tensor, features: number): { x: Range; at: { xOffset: number; xRow: number }; form: { VEC: boolean } } {
  const { tensor, length, stride } = rowsOf(x);
  const at = { xOffset: tensor.offset, xRow: stride };
  return { x: tensor.whole, at, form: { VEC: inFours(length, features, at.xOffset, at.xRow) } };
}

/**
 * Inputs: x, encoder, encoderBias, decoder, decoderBias. Outputs: features, sums, counts, reconstruction, error, total, loss; hidden: e = y − x, and
 * its sums.
 */
const autoencoderOp: Op<Attributes> = {
  name: "reluAutoencoder",
  visible: 7,
  forward([x, encoder, encoderBias, decoder, decoderBias], { centered, errorScale, totalScale }) {
    const { device } = x!;
    const [rows, width] = x!.shape as [number, number];
    const features = encoder!.shape[1]!;
    const given = placeOf(x!, features);
    const sizes = { ...given.at, rows, width, features, centered: Number(centered) };
    const { blocks, stretches, stretch } = deal(device, { rows, features, columns: COLUMNS.encode });
    const tile = { SG: device.subgroupSize, NC: COLUMNS.encode, KD: panelWidth(device, width)!, ...given.form };

    const f = empty([rows, features], { device });
    const partials = empty([stretches, 2, features], { device });
    device.run(kernel("relu_autoencoder_encode", "main", tile), {
      bindings: { x: given.x, encoder: dense(encoder!), encoderBias: dense(encoderBias!), center: dense(decoderBias!), partials, f },
      params: { ...sizes, stretch, stretches },
      workgroups: blocks * stretches,
    });
    const totals = fold(partials, { kept: [1, 2], reduced: [0], shape: [2, features], length: stretches }, { combine: COMBINE.add });
    const { out: y } = gemm({ a: f, b: decoder!, bias: decoderBias! });

    const e = empty([rows, width], { device });
    const fours = Math.ceil(width / 4);
    const measured = Math.min(rows, Math.max(Math.ceil(BUSY / fours), Math.ceil(rows / LONGEST_SUM)));
    const errorSums = empty([measured, 2, width], { device });
    device.run(kernel("relu_autoencoder", "measure", given.form), {
      bindings: { x: given.x, y, e, partials: errorSums },
      params: { ...sizes, stretches: measured },
      workgroups: Math.ceil((measured * fours) / 64),
    });
    const losses = empty([3], { device });
    device.run(kernel("relu_autoencoder", "add_up", { SG: device.subgroupSize }), {
      bindings: { errorParts: errorSums, sums: partials, losses },
      params: { width, features, stretches: measured, splits: stretches, scale: errorScale, totalScale },
      workgroups: 1,
    });
    // The loss comes first: most read nothing else back, and from the beginning of a storage that needs no copy.
    const [loss, error, total] = [0, 1, 2].map((i) => losses.select(0, i)) as [Tensor, Tensor, Tensor];
    return [f, totals.select(0, 0), totals.select(0, 1), y, error, total, loss, e, errorSums];
  },
  gradient: backward,
};

/** The parameters' gradients, in two launches. What reaches the reconstruction from elsewhere than the error takes one or two more. */
function backward({ inputs, outputs, gradients, attributes }: GradientContext<Attributes>): (Tensor | null)[] {
  const [x, encoder, , decoder, decoderBias] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const [f, e, errorSums] = [outputs[0]!, outputs[7]!, outputs[8]!];
  const [df, , , dy] = gradients;
  const [derror, dtotal] = [both(gradients[4], gradients[6]), both(gradients[5], gradients[6])];
  const { device } = x;
  const [rows, width] = x.shape as [number, number];
  const features = encoder.shape[1]!;
  const scale = 2 * attributes.errorScale;

  // What reaches y is s·e, with a number s that is on the GPU, unless something comes from elsewhere; then it is computed by itself, and s is 1.
  const isSimple = !df && !dy && Boolean(derror);
  const slopes = isSimple ? e : slopesAt(e, { dy: dy ?? null, ofError: derror?.mul(scale) ?? null });
  const slopeSums = isSimple ? errorSums : slopes.sum({ axis: 0 });
  const slope = { hasSlope: Number(isSimple), scale };
  const { dsums, sumsScale } = gradientOfSums({ dsums: gradients[1], dtotal }, { features, totalScale: attributes.totalScale });

  const given = placeOf(x, features);
  const { blocks, stretches: splits, stretch } = deal(device, { rows, features, columns: COLUMNS.backward });
  const sizes = { width, features, centered: Number(attributes.centered) };
  const partials = empty([splits, (2 * width + 1) * features], { device });
  const tile = { SG: device.subgroupSize, NC: COLUMNS.backward, KD: panelWidth(device, width)!, U: ROWS };
  const defines = { ...tile, ...given.form, FEATURE_GRADIENT: Boolean(df) };
  device.run(kernel("relu_autoencoder_backward", "main", defines), {
    bindings: {
      x: given.x,
      decoder: dense(decoder),
      error: slopes,
      center: dense(decoderBias),
      partials,
      kept: f,
      dsums: (dsums ?? e).whole,
      ...(df ? { df: dense(df) } : { slope: derror ? dense(derror) : e }),
    },
    params: {
      ...sizes,
      ...given.at,
      ...slope,
      rows,
      splits,
      stretch,
      hasSums: Number(Boolean(dsums)),
      sumsOffset: dsums?.offset ?? 0,
      sumsStep: dsums?.strides[0] ?? 0,
      sumsScale,
    },
    workgroups: blocks * splits,
  });

  const results = [encoder.shape, [features], decoder.shape, [width]].map((shape) => empty(shape, { device }));
  const [dEncoder, dEncoderBias, dDecoder, dDecoderBias] = results as [Tensor, Tensor, Tensor, Tensor];
  device.run(kernel("relu_autoencoder", "finish", given.form), {
    bindings: {
      parts: partials,
      encoder: dense(encoder),
      errorParts: slopeSums,
      dEncoder,
      dDecoder,
      dEncoderBias,
      dDecoderBias,
      slope: derror ? dense(derror) : e,
    },
    params: { ...sizes, ...slope, splits, stretches: isSimple ? errorSums.shape[0]! : 1, errorStep: 2 * width },
    workgroups: Math.ceil((partials.shape[1]! / (given.form.VEC ? 4 : 1) + width) / 64),
  });
  return [null, ...results];
}

/** The sum of gradients of which either may be none. */
function both(a: Tensor | null | undefined, b: Tensor | null | undefined): Tensor | null {
  return (a && b ? a.add(b) : (a ?? b)) ?? null;
}

/** What reaches the sums, one number or one a feature, and its factor; what comes from both sides is added up before. */
function gradientOfSums(
  { dsums, dtotal }: { readonly dsums: Tensor | null | undefined; readonly dtotal: Tensor | null },
  { features, totalScale }: { readonly features: number; readonly totalScale: number },
): { dsums: Tensor | undefined; sumsScale: number } {
  if (!dtotal) return { dsums: dsums ?? undefined, sumsScale: 1 };
  if (dsums) return { dsums: dsums.add(dtotal.mul(totalScale)), sumsScale: 1 };
  return { dsums: dtotal.reshape([1]).expand([features]), sumsScale: totalScale };
}

/** The gradient of y: s·e, what came from elsewhere, or both. */
function slopesAt(e: Tensor, { dy, ofError }: { readonly dy: Tensor | null; readonly ofError: Tensor | null }): Tensor {
  const own = ofError && e.mul(ofError);
  if (own && dy) return own.add(dy);
  return own ?? (dy ? dense(dy) : full(e.shape, 0, { device: e.device }));
}

/**
 * An autoencoder with ReLU on rows `x [B, D]`: f = ReLU((x − b_dec)·W_enc + b_enc), y = f·W_dec + b_dec, with the sums over its features and
 * the squared error that sparse autoencoders are trained on. On software adapters, for D up to 64, encoder, ReLU and sums are one kernel, and
 * all of the way back is another, which never stores the features' gradients; elsewhere it is the ordinary ops, as it is where `x` wants a gradient.
 *
 * @example
 * ```ts
 * const mean = 1 / x.shape[0];
 * const { loss } = reluAutoencoder(x, { encoder, encoderBias, decoder, decoderBias }, { errorScale: mean, totalScale: l1 * mean });
 * loss.backward();
 * ```
 * @throws ShapeError if sizes do not match, DTypeError for anything but f32.
 */
export function reluAutoencoder(x: Tensor, parameters: ReluAutoencoderParameters, options: ReluAutoencoderOptions = {}): ReluAutoencoder {
  const { encoder, encoderBias, decoder, decoderBias } = parameters;
  const { centered = true, errorScale = 1, totalScale = 1 } = options;
  check(x, parameters);
  const isEmpty = x.size === 0 || encoder.size === 0;
  if (isEmpty || x.requiresGrad || panelWidth(x.device, x.shape[1]!) === undefined)
    return composed(x, parameters, { centered, errorScale, totalScale });
  const outputs = applyAll(autoencoderOp, [x, encoder, encoderBias, decoder, decoderBias], { centered, errorScale, totalScale });
  const [features, sums, counts, reconstruction, error, total, loss] = outputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  return { features, sums, counts: counts.detach(), reconstruction, error, total, loss };
}

/** The same by ordinary ops. The encoder's bias takes the center's part, −b_dec·W_enc, so that x is left as it is. */
function composed(x: Tensor, parameters: ReluAutoencoderParameters, { centered, errorScale, totalScale }: Attributes): ReluAutoencoder {
  const { encoder, encoderBias, decoder, decoderBias } = parameters;
  const bias = centered ? encoderBias.sub(matmul(decoderBias, encoder)) : encoderBias;
  const { y: features, sums, counts } = reluSums(linear(x, encoder.transpose(0, 1), bias));
  const reconstruction = linear(features, decoder.transpose(0, 1), decoderBias);
  const error = mseLoss(reconstruction, x, { reduction: "sum" }).mul(errorScale);
  const total = sums.sum().mul(totalScale);
  return { features, sums, counts, reconstruction, error, total, loss: error.add(total) };
}

function check(x: Tensor, { encoder, encoderBias, decoder, decoderBias }: ReluAutoencoderParameters): void {
  for (const t of [x, encoder, encoderBias, decoder, decoderBias]) expectDType("reluAutoencoder", t, ["f32"]);
  if (x.rank !== 2 || encoder.rank !== 2)
    throw new ShapeError(
      `reluAutoencoder: expected x [B, D] and an encoder [D, F] but found ${format(x.shape)} and ${format(encoder.shape)}`,
    );
  const [width, features] = [x.shape[1]!, encoder.shape[1]!];
  const expected = { encoder: [width, features], encoderBias: [features], decoder: [features, width], decoderBias: [width] };
  for (const [name, shape] of Object.entries(expected)) {
    const found = { encoder, encoderBias, decoder, decoderBias }[name as keyof typeof expected].shape;
    if (format(found) !== format(shape))
      throw new ShapeError(`reluAutoencoder: expected ${name} ${format(shape)} for x ${format(x.shape)} but found ${format(found)}`);
  }
}
