import { kernel } from "../../device/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { dense, empty } from "../copy.ts";
import { inFours, rowsOf } from "../rows.ts";
import { pairLayout, sumSlices } from "../sum_slices.ts";
import { reshape } from "../view.ts";
import { gemm } from "./gemm.ts";
import { parameterGradients } from "./parameter_gradients.ts";

/** A linear layer y = x·Wᵀ + b on its way back. */
export interface LinearBackward {
  /** x `[.., in]` */
  readonly x: Tensor;
  /** W `[out, in]`, any strides */
  readonly weight: Tensor;
  /** The gradient of y, `[.., out]`. */
  readonly g: Tensor;
  /** The gradient of x is multiplied by these, `[.., in]`: an activation's slopes, where x was one's result. */
  readonly times?: Tensor | undefined;
  /** Added to the gradient of x, `[.., in]`. */
  readonly residual?: Tensor | undefined;
}

/** Which gradients are wanted. */
export interface Wanted {
  readonly x: boolean;
  readonly weight: boolean;
  readonly bias: boolean;
}

/** Gradients; null where not wanted. */
export interface LinearGradients {
  readonly dx: Tensor | null;
  readonly dWeight: Tensor | null;
  readonly dBias: Tensor | null;
}

/**
 * The gradients of a linear layer: dx = g·W `[.., in]`, dW = gᵀ·x `[out, in]`, db = Σ g `[out]`. On software adapters one kernel computes all of
 * them while it holds a row; elsewhere, and where there is little to do or not all is wanted, dx is one product, dW and db another.
 */
export function linearGradients(layer: LinearBackward, wanted: Wanted): LinearGradients {
  const lanes = wanted.x && wanted.weight ? panelLanes(layer) : undefined;
  if (lanes) return inOneWalk(layer, { lanes, needsBias: wanted.bias });
  const { x, weight, g, times, residual } = layer;
  const dx = wanted.x ? gemm({ a: g, b: weight, times, residual }).out : null;
  return { dx, ...parameterGradients({ x, g }, { needsWeight: wanted.weight, needsBias: wanted.bias }) };
}

/** Outputs of the layer whose weights a workgroup holds at once, and rows that it takes at a time. */
const PANEL = 64;
const ROWS = 2;
/** Inputs that a lane holds: a vec4 of them. */
const COLUMNS = 4;
/** Rows that repay the loading of a panel and the storing of its gradients; fewer leave this to ordinary products. */
const LEAST_ROWS = 64;
/** Workgroups that even out the two halves in which software adapters deal them to their threads, and rows worth a workgroup of their own. */
const WORKGROUPS = 8;
const WORTH_A_WORKGROUP = 500;
/** Rows that one workgroup may add up, which bounds the rounding error. */
const LONGEST_STRETCH = 1024;

/** Lanes of the panel kernel, or undefined where it does not pay or cannot run. */
function panelLanes({ x, weight, g }: LinearBackward): number | undefined {
  const { device } = x;
  const lanes = device.family === "panel" ? device.subgroupSize : 0;
  const rows = g.size / Math.max(1, weight.shape[0]!);
  return lanes > 0 && PANEL % (4 * lanes) === 0 && rows >= LEAST_ROWS && weight.size > 0 ? lanes : undefined;
}

function inOneWalk(layer: LinearBackward, { lanes, needsBias }: { lanes: number; needsBias: boolean }): LinearGradients {
  const { weight } = layer;
  const { device } = weight;
  const [outs, ins] = weight.shape as [number, number];
  const [x, g, residual] = [rowsOf(layer.x), rowsOf(layer.g), layer.residual && rowsOf(layer.residual)];
  const times = layer.times && dense(layer.times);
  const { rows } = g;
  const { blocks, parts, stretch } = deal({ rows, ins, lanes });
  const pair = { first: weight.size, second: outs };
  const { secondAt, slice } = pairLayout(pair);
  const dx = empty(layer.x.shape, { device });
  const partials = empty([parts * slice], { device });
  const defines = {
    SG: lanes,
    KC: PANEL,
    U: ROWS,
    G_VEC: inFours(g.tensor.offset, g.stride) && g.stride >= 4 * Math.ceil(outs / 4), // what lies behind a row is loaded, but does not count
    X_VEC: inFours(ins, x.tensor.offset, x.stride, residual?.tensor.offset ?? 0, residual?.stride ?? 0),
  };
  device.run(kernel("linear_gradients_panel", "main", defines), {
    bindings: {
      g: g.tensor.whole,
      g4: g.tensor.whole,
      weight: weight.whole,
      input: x.tensor.whole,
      input4: x.tensor.whole,
      dx,
      dx4: dx,
      partials,
      times: times ?? g.tensor.whole, // WebGPU knows no empty bindings
      times4: times ?? g.tensor.whole,
      residual: (residual ?? g).tensor.whole,
      residual4: (residual ?? g).tensor.whole,
    },
    params: {
      rows,
      outs,
      ins,
      gOffset: g.tensor.offset,
      gRow: g.stride,
      xOffset: x.tensor.offset,
      xRow: x.stride,
      weightOffset: weight.offset,
      weightRow: weight.strides[0]!,
      weightColumn: weight.strides[1]!,
      hasTimes: Number(Boolean(times)),
      hasResidual: Number(Boolean(residual)),
      residualOffset: residual?.tensor.offset ?? 0,
      residualRow: residual?.stride ?? 0,
      stretch,
      parts,
      slice,
      biasOffset: secondAt,
    },
    workgroups: blocks * parts,
  });
  // Sums that nobody asked for would keep a captured step from putting the others where they belong.
  const [dWeight, dBias] = sumSlices(partials, { pair: needsBias ? pair : { ...pair, second: 0 }, splits: parts, apart: slice });
  return { dx, dWeight: reshape(dWeight, [outs, ins]), dBias: needsBias ? dBias : null };
}

/** How rows and columns are dealt out: workgroups side by side, each with some columns, and how many of them one below the other. */
function deal({ rows, ins, lanes }: { rows: number; ins: number; lanes: number }): { blocks: number; parts: number; stretch: number } {
  const blocks = Math.ceil(ins / (lanes * COLUMNS));
  const wanted = Math.min(Math.ceil(WORKGROUPS / blocks), Math.floor(rows / WORTH_A_WORKGROUP));
  const stretch = Math.ceil(rows / Math.max(1, wanted, Math.ceil(rows / LONGEST_STRETCH)));
  return { blocks, stretch, parts: Math.ceil(rows / stretch) };
}
