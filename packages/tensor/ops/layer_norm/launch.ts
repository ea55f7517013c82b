import type { Device } from "../../device/device.ts";
import { kernel } from "../../device/kernel.ts";
import { Tensor } from "../../tensor.ts";
import { dense, empty } from "../copy.ts";
import { COMBINE, fold } from "../reduce/fold.ts";
import { inFours, type Rows, rowForm, rowGroups, rowsOf } from "../rows.ts";
import { sumSlices } from "../sum_slices.ts";

/** x `[.., C]`, weight and bias `[C]` where there are any. */
export interface Inputs {
  readonly x: Tensor;
  readonly weight?: Tensor | undefined;
  readonly bias?: Tensor | undefined;
}

/** Normalises the rows of x: they, `[.., C]`, and their means and 1 / standard deviations, flat. */
export function launchForward({ x, weight, bias }: Inputs, { eps }: { eps: number }): { y: Tensor; mean: Tensor; rstd: Tensor } {
  const { tensor, rows, length, stride } = rowsOf(x);
  const { device } = x;
  const [y, mean, rstd] = [empty(x.shape, { device }), empty([rows], { device }), empty([rows], { device })];
  const bindings = { y, mean, rstd, x: tensor.whole, ...(weight && { weight: dense(weight) }), ...(bias && { bias: dense(bias) }) };
  const params = { rows, length, xOffset: tensor.offset, xStride: stride, eps };
  const has = { WEIGHT: weight !== undefined, BIAS: bias !== undefined };
  const panel = panelForm(device, [{ tensor, rows, length, stride }]);
  if (panel) {
    const { chunk, workgroups } = stretches(rows);
    device.run(kernel("layer_norm_panel", "forward", { ...panel, ...has }), { bindings, params: { ...params, chunk }, workgroups });
  } else {
    const form = rowForm(device, { rows, length });
    device.run(kernel("layer_norm", "forward", { ...form, ...has }), { bindings, params, workgroups: rowGroups(rows, form) });
  }
  return { y, mean, rstd };
}

/** What forward had and left, and the gradient of y. */
export interface Saved {
  readonly x: Tensor;
  readonly weight?: Tensor | undefined;
  readonly mean: Tensor;
  readonly rstd: Tensor;
  readonly dy: Tensor;
}

/** Which gradients are wanted, and what is added to that of x. */
export interface Wanted {
  readonly needsX: boolean;
  readonly needsParameters: boolean;
  readonly pending: Tensor | undefined;
}

/** Gradients; null where not wanted. */
export interface Gradients {
  readonly dx: Tensor | null;
  readonly dWeight: Tensor | null;
  readonly dBias: Tensor | null;
}

export function launchBackward(given: Saved, wanted: Wanted): Gradients {
  const saved = { ...given, x: rowsOf(given.x), dy: rowsOf(given.dy) };
  const pending = wanted.pending && rowsOf(wanted.pending);
  const panel = wanted.needsX ? panelForm(given.x.device, [saved.x, saved.dy, ...(pending ? [pending] : [])]) : undefined;
  if (panel) {
    const { dx, partial } = panelGradients(saved, { panel, pending });
    return { dx, ...(wanted.needsParameters ? summed(partial, saved.x.length) : { dWeight: null, dBias: null }) };
  }
  return {
    dx: wanted.needsX ? inputGradient(saved, pending) : null,
    ...(wanted.needsParameters ? summed(partialSums(saved), saved.x.length) : { dWeight: null, dBias: null }),
  };
}

type SavedRows = Omit<Saved, "x" | "dy"> & { readonly x: Rows; readonly dy: Rows };

/** What all backward kernels are given. */
function shared({ x, dy, mean, rstd }: SavedRows) {
  return {
    bindings: { x: x.tensor.whole, dy: dy.tensor.whole, saved_mean: mean, saved_rstd: rstd },
    params: {
      rows: x.rows,
      length: x.length,
      xOffset: x.tensor.offset,
      xStride: x.stride,
      dyOffset: dy.tensor.offset,
      dyStride: dy.stride,
    },
  };
}

/** What the kernels that give x's gradient are given besides. */
function toInput({ x, weight }: SavedRows, pending: Rows | undefined) {
  const dx = empty(x.tensor.shape, { device: x.tensor.device });
  return {
    dx,
    bindings: { dx, ...(weight && { weight: dense(weight) }), ...(pending && { pending: pending.tensor.whole }) },
    params: { pendingOffset: pending?.tensor.offset ?? 0, pendingStride: pending?.stride ?? 0 },
    has: { WEIGHT: weight !== undefined, PENDING: pending !== undefined },
  };
}

function inputGradient(saved: SavedRows, pending: Rows | undefined): Tensor {
  const { tensor, rows, length } = saved.x;
  const { bindings, params } = shared(saved);
  const { dx, has, ...own } = toInput(saved, pending);
  const form = rowForm(tensor.device, { rows, length });
  tensor.device.run(kernel("layer_norm", "backward", { ...form, ...has }), {
    bindings: { ...bindings, ...own.bindings },
    params: { ...params, ...own.params },
    workgroups: rowGroups(rows, form),
  });
  return dx;
}

/** Most rows that one invocation adds up by itself. */
const LONGEST_CHUNK = 256;

/** Sums for the gradients of weight and bias over stretches of rows, `[splits, 2, width]`. */
function partialSums(saved: SavedRows): Tensor {
  const { tensor, rows, length } = saved.x;
  const { device } = tensor;
  const width = paddedWidth(length);
  const busy = (device.isSoftware ? 2048 : 65_536) / width; // splits that keep the adapter busy
  const wanted = Math.max(1, Math.min(Math.floor(rows / 16), Math.ceil(busy)), Math.ceil(rows / LONGEST_CHUNK));
  const chunk = Math.max(1, Math.ceil(rows / wanted));
  const splits = Math.max(1, Math.ceil(rows / chunk));
  const partial = empty([splits, 2 * width], { device });
  const { bindings, params } = shared(saved);
  device.run(kernel("layer_norm", "parameters"), {
    bindings: { ...bindings, partial },
    params: { ...params, width, splits, chunk },
    workgroups: (width * splits) / 64,
  });
  return partial;
}

/** Most stretches whose sums are added up one after another; more are folded. */
const MOST_SLICES = 64;

/** Partial sums `[splits, 2, width]` added up. Columns are padded, so that both results lie at aligned places. */
function summed(partial: Tensor, length: number): { dWeight: Tensor; dBias: Tensor } {
  const [splits, columns] = partial.shape as [number, number];
  const width = columns / 2;
  const [{ storage }] =
    splits <= MOST_SLICES
      ? sumSlices(partial, { pair: { first: length, second: length }, splits, apart: columns })
      : [fold(partial, { kept: [1], reduced: [0], shape: [columns], length: splits }, { combine: COMBINE.add })];
  const column = (offset: number): Tensor => new Tensor(partial.device, storage, { shape: [length], dtype: "f32", offset });
  return { dWeight: column(0), dBias: column(width) };
}

function paddedWidth(length: number): number {
  return Math.ceil(length / 64) * 64;
}

// ---- panel: a subgroup walks rows, its columns' sums in registers ----

/** Most vec4 of a row that a lane keeps: beyond, a software adapter's registers run out. */
const MOST_VECTORS = 8;

interface PanelForm {
  readonly [name: string]: number;
  readonly SG: number;
  readonly V: number;
}

/** Template parameters of the panel kernels, or undefined where device or layout do not allow for them. */
function panelForm(device: Device, tensors: readonly Rows[]): PanelForm | undefined {
  const SG = device.subgroupSize;
  if (device.family !== "panel" || ![4, 8, 16].includes(SG)) return undefined;
  const isAligned = tensors.every(({ tensor, length, stride }) => inFours(length, stride, tensor.offset));
  const V = paddedWidth(tensors[0]!.length) / (4 * SG);
  return isAligned && V <= MOST_VECTORS ? { SG, V } : undefined;
}

/** Workgroups that keep a software adapter's threads busy, and the most rows that one adds up by itself. */
const PANEL_WORKGROUPS = 32;
const LONGEST_STRETCH = 64;

function stretches(rows: number): { chunk: number; workgroups: number } {
  const chunk = Math.max(1, Math.min(LONGEST_STRETCH, Math.ceil(rows / PANEL_WORKGROUPS)));
  return { chunk, workgroups: Math.ceil(rows / chunk) };
}

function panelGradients(saved: SavedRows, about: { panel: PanelForm; pending: Rows | undefined }): { dx: Tensor; partial: Tensor } {
  const { tensor, rows, length } = saved.x;
  const { device } = tensor;
  const width = paddedWidth(length);
  const { chunk, workgroups } = stretches(rows);
  const partial = empty([workgroups, 2 * width], { device });
  const { bindings, params } = shared(saved);
  const { dx, has, ...own } = toInput(saved, about.pending);
  device.run(kernel("layer_norm_panel", "backward", { ...about.panel, WEIGHT: has.WEIGHT }), {
    bindings: { pending: tensor.whole, ...bindings, ...own.bindings, partial }, // WebGPU knows no empty bindings
    params: { ...params, ...own.params, hasPending: Number(has.PENDING), width, chunk },
    workgroups,
  });
  return { dx, partial };
}
