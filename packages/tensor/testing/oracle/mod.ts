/** What every op should give, in float64, written from the formulas and sharing nothing with the engine. */
export * from "./attention.ts";
export * from "./elementwise.ts";
export * from "./indexing.ts";
export * from "./loss.ts";
export * from "./matmul.ts";
export * from "./normalize.ts";
export * from "./optim.ts";
export * from "./reduce.ts";
export * from "./shape.ts";
export * from "./sort.ts";
