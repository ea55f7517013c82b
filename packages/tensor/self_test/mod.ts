/**
 * Whether this adapter computes right, and how fast: ops compared with float64, the same steps twice, products, memory and launches timed.
 *
 * @module
 */
export {
  type ComparedKernel,
  type CompareKernelsOptions,
  compareKernels,
  inBounds,
  type KernelComparison,
  type Outcome,
  type StartedCheck,
} from "./compare_kernels.ts";
export { kernelChecks } from "./kernels/all.ts";
export { errorInBounds, type KernelCase, type KernelCheck } from "./kernels/kernel_check.ts";
export { engineNeeds, type Limits, limitNames } from "./needs.ts";
export { type RepeatedTraining, repeatTraining } from "./repeat_training.ts";
export { type Latency, measureLatency } from "./speed/latency.ts";
export { type MatmulSpeed, measureMatmul } from "./speed/matmul_speed.ts";
export { type MemorySpeed, measureMemory } from "./speed/memory_speed.ts";
export { median, shortestTime } from "./speed/timing.ts";
