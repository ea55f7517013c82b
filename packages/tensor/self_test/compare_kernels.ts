import type { Device } from "../mod.ts";
import { kernelChecks } from "./kernels/all.ts";
import type { KernelCheck } from "./kernels/kernel_check.ts";

type Family = Device["family"];
type Kernel = Parameters<Device["run"]>[0];

/** What came of a check in one family of kernels: the worst error in units of its bound, or why there is none. */
export interface Outcome {
  readonly worst: number | null;
  readonly failure?: string;
}

/** What came of one check, by family. Families that there was no time for are missing. */
export interface ComparedKernel {
  readonly check: KernelCheck;
  readonly outcomes: ReadonlyMap<Family, Outcome>;
}

/** What {@link compareKernels} gives. */
export interface KernelComparison {
  /** The families that run on this adapter: the one in use first, then the portable one, which every other falls back on. */
  readonly families: readonly Family[];
  /** In the order of the checks. */
  readonly compared: readonly ComparedKernel[];
}

/** A comparison that begins. */
export interface StartedCheck {
  readonly name: string;
  readonly family: Family;
  /** From 1, in the order of beginning. */
  readonly number: number;
  /** How many there are in all families, if there is time for all. */
  readonly of: number;
  /** How many there are in one. */
  readonly perFamily: number;
}

/** Options of {@link compareKernels}. */
export interface CompareKernelsOptions {
  /**
   * Time in milliseconds for families beside the one in use, whose shaders may have to be compiled first; the latter is always checked whole.
   * Default: none.
   */
  readonly patience?: number;
  /** Called before each comparison. */
  readonly onCheck?: (about: StartedCheck) => void;
  /** Called with what came of a check in the family in use. */
  readonly onOutcome?: (check: KernelCheck, outcome: Outcome) => void;
  /** Another device on the same adapter, to share the work with. Software adapters compile the shaders of a device in one thread. */
  readonly helper?: Device | undefined;
  /** Default: all. */
  readonly checks?: readonly KernelCheck[];
  readonly signal?: AbortSignal;
}

/**
 * Compares ops with float64 on this adapter, in every family of kernels that runs here. The device's own family is left as it was.
 *
 * @example
 * ```ts
 * const { compared } = await compareKernels(device);
 * const isRight = compared.every(({ outcomes }) => (outcomes.get(device.family)!.worst ?? Infinity) <= 1);
 * ```
 * @throws The reason of `signal`.
 */
export async function compareKernels(device: Device, options: CompareKernelsOptions = {}): Promise<KernelComparison> {
  const { patience = 0, onCheck, onOutcome, helper, checks = kernelChecks, signal } = options;
  const own = device.family;
  const families = familiesOf(device);
  const outcomes = new Map(checks.map((check) => [check, new Map<Family, Outcome>()]));
  const jobs = families.flatMap((family) => checks.map((check) => ({ family, check })));
  const began = performance.now();
  let dealt = 0;
  const work = async (on: Device): Promise<void> => {
    for (let job = jobs[dealt++]; job; job = jobs[dealt++]) {
      signal?.throwIfAborted();
      if (job.family !== own && (patience === 0 || performance.now() - began > patience)) return;
      onCheck?.({ name: job.check.name, family: job.family, number: dealt, of: jobs.length, perFamily: checks.length });
      on.family = job.family;
      const outcome = await compare(on, job.check);
      outcomes.get(job.check)!.set(job.family, outcome);
      if (job.family === own) onOutcome?.(job.check, outcome);
    }
  };
  try {
    await Promise.all([device, ...(helper ? [helper] : [])].map(work));
  } finally {
    device.family = own;
  }
  return { families, compared: checks.map((check) => ({ check, outcomes: outcomes.get(check)! })) };
}

function familiesOf({ family, subgroupSize }: Device): Family[] {
  const canRunPanels = [4, 8, 16].includes(subgroupSize);
  return [...new Set<Family>([family, "portable", ...(canRunPanels ? ["panel" as const] : []), "tile"])];
}

/** Compiles what a check will launch, so that shaders at fault are named and do not break the device; then runs and judges it. */
async function compare(device: Device, { cases }: KernelCheck): Promise<Outcome> {
  try {
    const kernels = new Set<Kernel>();
    const recorder = { command: ({ kernel }: { kernel: Kernel }) => void kernels.add(kernel), effect: () => {} };
    device.record(recorder, () => cases.map((one) => one.launch(device)));
    await compile(device, kernels);
    const values = await Promise.all(cases.map((one) => Promise.all(one.launch(device).map((tensor) => tensor.data()))));
    return { worst: Math.max(...cases.map((one, i) => one.error(values[i]!))) };
  } catch (error) {
    return { worst: null, failure: (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim().slice(0, 300) };
  }
}

/** Compiles kernels. The scope keeps an error in one from making the whole device unusable: it is told by the exception alone. */
async function compile(device: Device, kernels: Iterable<Kernel>): Promise<void> {
  device.gpu.pushErrorScope("validation");
  try {
    await device.pipelines.compile(kernels);
  } finally {
    await device.gpu.popErrorScope();
  }
}

/** An outcome in five characters or fewer. */
export function inBounds({ worst }: Outcome): string {
  if (worst === null) return "fails";
  if (worst === 0) return "exact";
  if (worst < 1e-3) return "<.001";
  if (!Number.isFinite(worst)) return "NaN";
  return worst < 10 ? worst.toFixed(3) : worst < 1e5 ? worst.toFixed(0) : worst.toExponential(0);
}
