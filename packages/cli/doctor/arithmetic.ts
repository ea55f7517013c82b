import type { Device } from "@cursive/tensor";
import { oneLine } from "../errors.ts";
import type { Finding } from "./finding.ts";
import { otherDriver } from "./gpu/other_driver.ts";
import { kernelChecks } from "./kernels/all.ts";
import type { KernelCheck } from "./kernels/kernel_check.ts";

type Family = Device["family"];
type Kernel = Parameters<Device["run"]>[0];

/** What came of a check in one family of kernels: the worst error in units of its bound, or why there is none. */
export interface Outcome {
  readonly worst: number | null;
  readonly failure?: string;
}

/** What {@link checkArithmetic} compares. */
export interface ArithmeticOptions {
  /** Time in milliseconds for families beside the one in use, whose shaders may have to be compiled first; the latter is always checked whole. */
  readonly patience: number;
  readonly progress?: (text: string) => void;
  /** Another device on the same adapter, to share the work with. Software adapters compile the shaders of a device in one thread. */
  readonly helper?: Device | undefined;
  readonly checks?: readonly KernelCheck[];
}

/** Compares every op with float64 in every family of kernels that runs here: one finding an op. */
export async function checkArithmetic(device: Device, options: ArithmeticOptions): Promise<Finding[]> {
  const { patience, progress, helper, checks = kernelChecks } = options;
  const own = device.family;
  const families = familiesOf(device);
  const outcomes = new Map(checks.map((check) => [check, new Map<Family, Outcome>()]));
  const jobs = families.flatMap((family) => checks.map((check) => ({ family, check })));
  const began = performance.now();
  let dealt = 0;
  const work = async (on: Device): Promise<void> => {
    for (let job = jobs[dealt++]; job; job = jobs[dealt++]) {
      if (job.family !== own && performance.now() - began > patience) return;
      progress?.(`comparing with float64: ${job.check.name}, ${job.family} kernels (${dealt} of ${jobs.length})`);
      on.family = job.family;
      outcomes.get(job.check)!.set(job.family, await compare(on, job.check));
    }
  };
  try {
    await Promise.all([device, ...(helper ? [helper] : [])].map(work));
  } finally {
    device.family = own;
  }
  const findings = checks.map((check) => findingOf(check, { families, own, device, outcomes: outcomes.get(check)! }));
  const left = families.filter((family) => checks.some((check) => !outcomes.get(check)!.has(family)));
  return left.length === 0 ? findings : [...findings, leftOut(left, patience)];
}

function leftOut(families: readonly Family[], patience: number): Finding {
  return {
    id: "arithmetic.left-out",
    name: "other kernels",
    status: "skip",
    found: `${families.join(" and ")}: not all compared, as their shaders were not compiled within ${patience / 1000} s; --thorough waits for them`,
    data: { leftOut: families },
  };
}

/** The families whose kernels this adapter runs: its own first, then the portable one, which every other falls back on. */
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
    return { worst: null, failure: oneLine(error).slice(0, 300) };
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

function findingOf(
  { id, name, cases }: KernelCheck,
  about: { families: readonly Family[]; own: Family; device: Device; outcomes: ReadonlyMap<Family, Outcome> },
): Finding {
  const { families, own, device, outcomes } = about;
  const isWrong = (family: Family): boolean => {
    const outcome = outcomes.get(family);
    return outcome !== undefined && !(outcome.worst !== null && outcome.worst <= 1);
  };
  const wrong = families.filter(isWrong);
  const matters = wrong.some((family) => family === own || family === "portable");
  const failures = families.map((family) => outcomes.get(family)?.failure).filter((failure) => failure !== undefined);
  const reached = families.filter((family) => outcomes.has(family));
  const errors = reached.map((family) => `${family} ${inBounds(outcomes.get(family)!)}`).join(", ");
  return {
    id: `arithmetic.${id}`,
    name,
    status: wrong.length === 0 ? "ok" : matters ? "fail" : "warn",
    found: `${errors}${wrong.length > 0 ? `; wrong: ${wrong.join(", ")}` : ""}${failures[0] ? `: ${failures[0]}` : ""}`,
    ...(wrong.length > 0 && { fix: matters ? otherDriver(device) : "none needed: these kernels are not used on this adapter" }),
    data: { cases: cases.length, families: Object.fromEntries(families.map((family) => [family, outcomes.get(family) ?? null])) },
  };
}

/** An outcome in five characters or fewer. */
export function inBounds({ worst }: Outcome): string {
  if (worst === null) return "fails";
  if (worst === 0) return "exact";
  if (worst < 1e-3) return "<.001";
  if (!Number.isFinite(worst)) return "NaN";
  return worst < 10 ? worst.toFixed(3) : worst < 1e5 ? worst.toFixed(0) : worst.toExponential(0);
}
