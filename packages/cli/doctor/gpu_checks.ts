import process from "node:process";
import { type Device, openDevice } from "@cursive/tensor";
import { oneLine } from "../errors.ts";
import { checkArithmetic } from "./arithmetic.ts";
import { checkDeterminism } from "./determinism.ts";
import type { Finding } from "./finding.ts";
import { checkAdapter } from "./gpu/adapter.ts";
import { checkDawn } from "./gpu/dawn.ts";
import { checkDriver, driverChoice } from "./gpu/driver.ts";
import { checkFeatures } from "./gpu/features.ts";
import { checkLimits } from "./gpu/limits.ts";
import { explainNoAdapter } from "./gpu/no_adapter.ts";
import { otherDriver } from "./gpu/other_driver.ts";
import { systemFacts } from "./gpu/system_facts.ts";
import { checkTuning, tune } from "./gpu/tuning.ts";
import { checkSpeed } from "./speed/speed.ts";

/** How much is checked. */
export interface Extent {
  /** No timing. */
  readonly quick: boolean;
  /** All families of kernels, however long their shaders take to compile. */
  readonly thorough: boolean;
  /** Time the kernels that there is a choice of, and keep what is chosen. */
  readonly tune?: boolean;
}

/** Who hears what the checks of the GPU find, as they find it. */
export interface Listener {
  readonly emit: (finding: Finding) => void;
  readonly progress: (text: string) => void;
}

/** Milliseconds for comparing with float64, beyond which only the kernels in use are compared. */
const PATIENCE = 8000;

/** Checks everything that needs a GPU, from the driver to a training step. `open` replaces the adapter in tests. */
export async function checkGpu(
  { quick, thorough, tune: wantsTuning = false }: Extent,
  { emit, progress, open = openDevice }: Listener & { readonly open?: (options?: { readonly asDefault: boolean }) => Promise<Device> },
): Promise<void> {
  progress("opening the GPU");
  const dawn = await checkDawn();
  emit(dawn);
  emit(checkDriver());
  const facts = process.platform === "linux" ? await systemFacts() : undefined;
  let device: Device;
  try {
    device = await open();
  } catch (error) {
    const found = { gpus: [], hasLoader: true, manifests: [], missing: [], forbidden: [], mesa: null, ...facts };
    emit(noAdapter({ error: error as Error, dawnLoads: dawn.status === "ok", facts: found }));
    emit({ id: "arithmetic.none", name: "all", status: "skip", found: "not checked: it takes an adapter" });
    if (!quick) emit({ id: "speed.none", name: "all", status: "skip", found: "not checked: it takes an adapter" });
    return;
  }
  emit(checkAdapter(device, facts));
  emit(checkFeatures(device));
  emit(checkLimits(device));
  if (wantsTuning) await tune(device, progress);
  emit(await checkTuning(device));
  const patience = thorough ? Number.POSITIVE_INFINITY : PATIENCE;
  const helper = device.isSoftware ? await open({ asDefault: false }) : device;
  for (const finding of await checkArithmetic(device, { patience, progress, helper: helper === device ? undefined : helper }))
    emit(finding);
  if (helper !== device) helper.destroy();
  progress("taking training steps twice");
  emit(await checkDeterminism(device));
  if (!quick) await checkSpeed(device, { emit, progress });
  device.destroy();
}

function noAdapter(about: { error: Error; dawnLoads: boolean; facts: Parameters<typeof explainNoAdapter>[0] }): Finding {
  const named = { id: "gpu.adapter", name: "adapter", data: { name: null, message: about.error.message } } as const;
  if (!about.dawnLoads) return { ...named, status: "skip", found: "not looked for: it takes WebGPU" };
  if (!/found none/.test(about.error.message))
    // there is one
    return {
      ...named,
      status: "fail",
      found: `it does not open: ${oneLine(about.error)}`,
      fix: otherDriver({ isSoftware: false, name: "" }),
    };
  const { cause, fix } = explainNoAdapter(about.facts, { choice: driverChoice(), platform: process.platform });
  return { ...named, status: "fail", found: `none, because ${cause}`, fix };
}
