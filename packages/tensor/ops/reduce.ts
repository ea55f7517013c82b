export { amax, amin, argmax, argmin } from "./reduce/extreme.ts";
export type { ReduceOptions } from "./reduce/fold.ts";
export { logsumexp } from "./reduce/logsumexp.ts";
export { std, variance } from "./reduce/moments.ts";
export { norm } from "./reduce/norm.ts";
export { mean, prod, sum } from "./reduce/sum.ts";
export { all, any, countNonzero } from "./reduce/truth.ts";
