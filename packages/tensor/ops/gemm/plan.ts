import type { Device } from "../../device/device.ts";
import { type Kernel, kernel } from "../../device/kernel.ts";
import type { Problem } from "./problem.ts";

/** What a product does besides `A·B`; each combination is a pipeline of its own. */
export interface Variant {
  readonly gelu: boolean;
  readonly rowSums: boolean;
}

/** How a product is computed: the kernel, and how the work is dealt out. */
export interface Plan {
  readonly kernel: Kernel;
  /** Workgroups of one split. */
  readonly workgroups: number;
  /** Stretches of k computed apart and added up by a second kernel: what fills a device when `m·n` is small. */
  readonly splits: number;
  /** Length of a stretch. */
  readonly splitLength: number;
}

/** Chooses a kernel family, a tile and a split for a product. */
export function plan(device: Device, problem: Problem, variant: Variant): Plan {
  return portable(device, problem, variant);
}

/** Invocations of 8 rows × 4 columns, 64 to a workgroup. */
function portable(_device: Device, problem: Problem, variant: Variant): Plan {
  const blocks = Math.ceil(problem.m / 8) * Math.ceil(problem.n / 4) * problem.batches;
  const split = splitK(problem, { wanted: 1024 / blocks, shortest: 64 });
  return {
    kernel: kernel("gemm_portable", "main", { GELU: variant.gelu && split.splits === 1, ROW_SUMS: variant.rowSums }),
    workgroups: Math.ceil((blocks * split.splits) / 64),
    ...split,
  };
}

/** At most `wanted` stretches of k, none much below `shortest`. */
function splitK({ k }: Problem, { wanted, shortest }: { wanted: number; shortest: number }): { splits: number; splitLength: number } {
  const most = Math.max(1, Math.min(Math.floor(wanted), Math.floor(k / shortest)));
  const splitLength = Math.ceil(k / most);
  return { splits: splitLength === 0 ? 1 : Math.ceil(k / splitLength), splitLength };
}
