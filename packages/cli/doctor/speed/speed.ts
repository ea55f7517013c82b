import type { Device } from "@cursive/tensor";
import { type Latency, type MatmulSpeed, type MemorySpeed, measureLatency, measureMatmul, measureMemory } from "@cursive/tensor/self_test";
import { oneLine } from "../../errors.ts";
import { clock } from "../../terminal/progress.ts";
import type { Finding } from "../finding.ts";
import { otherDriver } from "../gpu/other_driver.ts";
import { measureTinyStep, type TinyStep } from "./tiny_step.ts";

/** What keeps work from being faster: arithmetic, moving data, or the launches themselves. */
export type Bound = "compute" | "memory" | "launches";

/** Times products, memory, launches and a real training step. */
export async function checkSpeed(
  device: Device,
  about: { readonly progress: (text: string) => void; readonly emit: (finding: Finding) => void },
): Promise<void> {
  const { progress, emit } = about;
  progress("timing launches");
  const latency = await measureLatency(device);
  progress("timing memory");
  const memory = await measureMemory(device);
  const products = await measureMatmul(device, progress);
  emit(productsFinding(products, { latency, memory }));
  emit({
    id: "speed.memory",
    name: "memory",
    status: "ok",
    found: `${digits(memory.copy)} GB/s copied, ${digits(memory.sum)} GB/s added up; bound by memory`,
    data: { ...memory },
  });
  emit({
    id: "speed.launches",
    name: "launches",
    status: "ok",
    found: `${digits(latency.launch)} µs each, ${digits(latency.capturedLaunch)} µs in a captured step; ${digits(latency.readback)} ms to read a number back`,
    data: { ...latency },
  });
  emit(await trainingFinding(device, { latency, products, progress }));
}

function productsFinding(products: readonly MatmulSpeed[], about: { latency: Latency; memory: MemorySpeed }): Finding {
  const rows = products.map((product) => ({ ...product, bound: boundOf(product, { ...about, best: bestOf(products) }) }));
  return {
    id: "speed.matmul",
    name: "matmul",
    status: "ok",
    found: describeProducts(rows),
    data: { products: rows },
  };
}

/** `25 GFLOP/s at 128³, 31 at 256³: compute`, the bound with each where they differ. */
function describeProducts(rows: readonly (MatmulSpeed & { bound: Bound })[]): string {
  const isOne = rows.every(({ bound }) => bound === rows[0]!.bound);
  const parts = rows.map(
    ({ shape, gigaflops, bound }, i) => `${digits(gigaflops)}${i === 0 ? " GFLOP/s" : ""} at ${shape}${isOne ? "" : ` (${bound})`}`,
  );
  return `${parts.join(", ")}${isOne ? `; bound by ${rows[0]!.bound}` : ""}`;
}

/** The roofline: below the arithmetic that the memory's speed can feed, data is what work waits for. */
export function boundOf(product: MatmulSpeed, about: { latency: Latency; memory: MemorySpeed; best: number }): Bound {
  if (1000 * product.milliseconds < 2 * about.latency.launch) return "launches";
  const ridge = about.best / about.memory.copy;
  return product.flopsPerByte > ridge ? "compute" : "memory";
}

async function trainingFinding(
  device: Device,
  about: { latency: Latency; products: readonly MatmulSpeed[]; progress: (text: string) => void },
): Promise<Finding> {
  const named = { id: "speed.training", name: "training" } as const;
  try {
    const step = await measureTinyStep(about.progress);
    const shares = sharesOf(step, about);
    const bound = boundOfStep(shares);
    const text = `${digits(step.milliseconds)} ms a step of tiny, bound by ${bound}; its ${step.steps} steps: ${clock((step.steps * step.milliseconds) / 1000)}`;
    return { ...named, status: "ok", found: text, data: { ...step, bound, shares } };
  } catch (error) {
    return { ...named, status: "fail", found: `a step of tiny fails: ${oneLine(error).slice(0, 300)}`, fix: otherDriver(device) };
  }
}

/** Parts of a step's time that its arithmetic and its launches would take at the speeds measured. */
function sharesOf(step: TinyStep, about: { latency: Latency; products: readonly MatmulSpeed[] }): { compute: number; launches: number } {
  return {
    compute: Math.min(1, step.flops / (bestOf(about.products) * 1e6) / step.milliseconds),
    launches: Math.min(1, (step.dispatches * about.latency.capturedLaunch) / 1000 / step.milliseconds),
  };
}

/** What a training step waits for, by the shares of its time. */
export function boundOfStep({ compute, launches }: { compute: number; launches: number }): Bound {
  if (launches > Math.max(compute, 0.4)) return "launches";
  return compute > 0.4 ? "compute" : "memory";
}

const bestOf = (products: readonly MatmulSpeed[]): number => Math.max(...products.map(({ gigaflops }) => gigaflops));

/** Two digits that count, and no more than people want: `0.071`, `3.4`, `117`. */
export function digits(value: number): string {
  if (value >= 1e4) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2);
}
