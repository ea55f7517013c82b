export type { ReduceOptions } from "./reduce/fold.ts";
export { mean, sum } from "./reduce/sum.ts";
