import type { Device } from "../../device/device.ts";
import { type Kernel, kernel } from "../../device/kernel.ts";
import { type ProductForm, tunedForm } from "../../device/tuning.ts";
import { inFours } from "../rows.ts";
import type { Operand, Problem } from "./problem.ts";

/** What a product does besides `A·B`; each combination is a pipeline of its own. */
export interface Variant {
  readonly gelu: boolean;
  readonly times: boolean;
  readonly rowSums: boolean;
  /** Rows of the result, gaps behind them included, and of what is combined with it begin at multiples of 4 elements. */
  readonly inFours: boolean;
}

/** How a product is computed: the kernel, and how the work is dealt out. */
export interface Plan {
  readonly kernel: Kernel;
  readonly workgroups: number;
  /** Stretches of k computed apart and added up by a second kernel: what fills a device when `m·n` is small and `k` is not. */
  readonly splits: number;
  /** Length of a stretch of k. */
  readonly splitLength: number;
  /** Rows that a workgroup walks; for the panel kernel. */
  readonly stretch: number;
}

/**
 * Chooses kernel, tile and split of a product. Sizes are parameters of the kernels, so all products share few pipelines: one for each family,
 * variant and, for tiles, layout.
 */
export function plan(device: Device, problem: Problem, variant: Variant): Plan {
  const tuned = tunedForm(device, { ...problem, transposed: problem.a.row === 1 && problem.a.column !== 1 });
  if (device.family === "tile") return tile(problem, variant, tuned);
  if (device.family === "panel" && device.subgroupSize > 0 && SHORT_PANEL % (4 * device.subgroupSize) === 0)
    return panel(problem, variant, { lanes: device.subgroupSize, tuned });
  return portable(problem, variant);
}

// ---- portable: invocations of 8 rows × 4 columns, 64 to a workgroup ----

/** Enough invocations for the few cores of a machine without a GPU. */
const PORTABLE_BLOCKS = 1024;

function portable(problem: Problem, variant: Variant): Plan {
  const blocks = Math.ceil(problem.m / 8) * Math.ceil(problem.n / 4) * problem.batches;
  const split = splitK(problem.k, { wanted: PORTABLE_BLOCKS / blocks, shortest: 64, multipleOf: 1 });
  const { gelu, times, rowSums } = afterSplit(variant, split);
  return {
    kernel: kernel("gemm_portable", "main", { GELU: gelu, TIMES: times, ROW_SUMS: rowSums }),
    workgroups: Math.ceil((blocks * split.splits) / 64),
    stretch: 0,
    ...split,
  };
}

// ---- panel: a subgroup walks rows of A with a panel of B, k × PANEL_COLUMNS·lanes, in private memory ----

/** Lengths of a panel in k: the longer one saves half of the loads and stores of sums, at twice the time to compile. */
const SHORT_PANEL = 64;
const LONG_PANEL = 128;
/** Columns that a lane holds: the more where sums need not be read again and there are many. */
const PANEL_COLUMNS = 4;
const MANY_PANEL_COLUMNS = 8;
/**
 * Software adapters deal workgroups out in halves to their threads: as many of equal size even the halves out. Each loads its panel, element by
 * element, which takes as long as some 50 rows.
 */
const PANEL_WORKGROUPS = 8;
/** Rows that repay the loading of a panel; and those that do where k is long: splitting that deals work out as well, and loads no more. */
const PANEL_ROWS = 64;
const PANEL_ROWS_OF_LONG = 256;
/** Panels that make k long. */
const LONG = 4;
/** Multiplications that take a software adapter less time than the second launch of a split product. */
const TOO_FEW_TO_SPLIT = 2 ** 18;

function panel(problem: Problem, variant: Variant, { lanes, tuned }: { lanes: number; tuned: ProductForm | undefined }): Plan {
  const { m, n, k, batches } = problem;
  const form = tuned?.family === "panel" ? tuned : undefined;
  const panelLength = form?.length ?? (k > SHORT_PANEL ? LONG_PANEL : SHORT_PANEL);
  const columns = form?.columns ?? (k <= SHORT_PANEL && n >= MANY_PANEL_COLUMNS * lanes ? MANY_PANEL_COLUMNS : PANEL_COLUMNS);
  const across = Math.ceil(n / (lanes * columns)) * batches;
  const rows = k >= LONG * panelLength ? PANEL_ROWS_OF_LONG : PANEL_ROWS;
  const down = Math.max(1, Math.min(evenly(PANEL_WORKGROUPS / across, across), Math.floor(m / rows)));
  const stretch = Math.max(1, Math.ceil(m / down));
  const blocks = across * Math.ceil(m / stretch);
  const wanted = m * n * k * batches < TOO_FEW_TO_SPLIT ? 1 : PANEL_WORKGROUPS / blocks;
  const split = splitK(k, { wanted, shortest: panelLength, multipleOf: panelLength });
  const { gelu, times, rowSums } = afterSplit(variant, split);
  return {
    kernel: kernel("gemm_panel", "main", {
      SG: lanes,
      NC: columns,
      KC: panelLength,
      VEC: isAligned(problem.a, "column"),
      OUT_VEC: variant.inFours && !rowSums,
      ONE_PANEL: k <= SHORT_PANEL,
      GELU: gelu,
      TIMES: times,
      ROW_SUMS: rowSums,
    }),
    workgroups: blocks * split.splits,
    stretch,
    ...split,
  };
}

/** A whole number from `wanted` on whose multiple by `count` makes two equal halves. */
const evenly = (wanted: number, count: number): number => (count % 2 === 0 ? Math.ceil(wanted) : 2 * Math.ceil(wanted / 2));

// ---- tile: 256 invocations with tiles of both operands in workgroup memory ----

const TILE_COLUMNS = 64;
const TILE_STEP = 16;
/** Workgroups that keep a large GPU busy: about one and two for each of its multiprocessors. */
const FEW_TILES = 128;
const MANY_TILES = 256;

function tile(problem: Problem, variant: Variant, tuned: ProductForm | undefined): Plan {
  const { m, n, k, batches, a, b } = problem;
  const aAlongK = a.row !== 1 || a.column === 1;
  const bAlongK = b.column !== 1;
  const count = (rows: number): number => Math.ceil(m / rows) * Math.ceil(n / TILE_COLUMNS) * batches;
  // 8 rows an invocation where there is work for all, 2 where there is little and k is too short to split.
  const usual = count(128) >= 2 * MANY_TILES ? 8 : count(64) < FEW_TILES && aAlongK && k < 16 * TILE_STEP ? 2 : 4;
  const wished = tuned?.family === "tile" ? tuned.rows : usual;
  const size = variant.rowSums || (wished === 2 && !aAlongK) ? 4 : wished;
  const blocks = count(16 * size);
  const split = splitK(k, { wanted: blocks < FEW_TILES ? MANY_TILES / blocks : 1, shortest: 8 * TILE_STEP, multipleOf: TILE_STEP });
  const { gelu, times, rowSums } = afterSplit(variant, split);
  const defines = {
    TM: size,
    A_ALONG_K: aAlongK,
    B_ALONG_K: bAlongK,
    VEC: isAligned(a, aAlongK ? "column" : "row") && isAligned(b, bAlongK ? "row" : "column"),
    GELU: gelu,
    TIMES: times,
    ROW_SUMS: rowSums,
  };
  return { kernel: kernel("gemm_tile", "main", defines), workgroups: blocks * split.splits, stretch: 0, ...split };
}

/** Whether an operand can be read as vec4 along an axis: neighbours there, and everything else at multiples of 4. */
function isAligned(operand: Operand, axis: "row" | "column"): boolean {
  const other = axis === "row" ? operand.column : operand.row;
  return operand[axis] === 1 && inFours(operand.tensor.offset, other, ...operand.batch);
}

// ---- shared ----

/** At most `wanted` stretches of k, none but the last shorter than `shortest` or not a multiple of `multipleOf`. */
function splitK(
  k: number,
  { wanted, shortest, multipleOf }: { wanted: number; shortest: number; multipleOf: number },
): { splits: number; splitLength: number } {
  const splits = Math.max(1, Math.min(Math.floor(wanted), Math.floor(k / shortest)));
  const splitLength = Math.max(1, Math.ceil(k / splits / multipleOf)) * multipleOf;
  return { splits: Math.max(1, Math.ceil(k / splitLength)), splitLength };
}

/** What is left for the product's kernel to do: the epilogue of a split product is the reduction's. */
function afterSplit(variant: Variant, { splits }: { splits: number }): Variant {
  return splits > 1 ? { ...variant, gelu: false, times: false } : variant;
}
