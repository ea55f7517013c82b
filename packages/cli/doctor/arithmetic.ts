import type { Device } from "@cursive/tensor";
import { type ComparedKernel, compareKernels, inBounds, type KernelCheck, type Outcome } from "@cursive/tensor/self_test";
import type { Finding } from "./finding.ts";
import { otherDriver } from "./gpu/other_driver.ts";

type Family = Device["family"];

/** What {@link checkArithmetic} compares. */
export interface ArithmeticOptions {
  /** Time in milliseconds for families beside the one in use, whose shaders may have to be compiled first; the latter is always checked whole. */
  readonly patience: number;
  readonly progress?: (text: string) => void;
  /** Another device on the same adapter, to share the work with. */
  readonly helper?: Device | undefined;
  readonly checks?: readonly KernelCheck[];
}

/** Compares every op with float64 in every family of kernels that runs here: one finding an op. */
export async function checkArithmetic(device: Device, options: ArithmeticOptions): Promise<Finding[]> {
  const { patience, progress, helper, checks } = options;
  const { families, compared } = await compareKernels(device, {
    ...{ patience, helper, ...(checks && { checks }) },
    onCheck: ({ name, family, number, of }) => progress?.(`comparing with float64: ${name}, ${family} kernels (${number} of ${of})`),
  });
  const findings = compared.map((one) => findingOf(one, { families, device }));
  const left = families.filter((family) => compared.some(({ outcomes }) => !outcomes.has(family)));
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

function findingOf(
  { check: { id, name, cases }, outcomes }: ComparedKernel,
  { families, device }: { readonly families: readonly Family[]; readonly device: Device },
): Finding {
  const isRight = ({ worst }: Outcome): boolean => worst !== null && worst <= 1;
  const reached = families.filter((family) => outcomes.has(family));
  const wrong = reached.filter((family) => !isRight(outcomes.get(family)!));
  const matters = wrong.some((family) => family === device.family || family === "portable");
  const [failure] = reached.map((family) => outcomes.get(family)!.failure).filter((failure) => failure !== undefined);
  const errors = reached.map((family) => `${family} ${inBounds(outcomes.get(family)!)}`).join(", ");
  return {
    id: `arithmetic.${id}`,
    name,
    status: wrong.length === 0 ? "ok" : matters ? "fail" : "warn",
    found: `${errors}${wrong.length > 0 ? `; wrong: ${wrong.join(", ")}` : ""}${failure ? `: ${failure}` : ""}`,
    ...(wrong.length > 0 && { fix: matters ? otherDriver(device) : "none needed: these kernels are not used on this adapter" }),
    data: { cases: cases.length, families: Object.fromEntries(families.map((family) => [family, outcomes.get(family) ?? null])) },
  };
}
