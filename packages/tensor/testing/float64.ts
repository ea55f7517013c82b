/** What checks a kernel's numbers and needs no test runner: oracles in float64, error bounds, numbers from a seed. */
export * from "./directional_derivative.ts";
export * from "./error_bound.ts";
export * from "./expect_close.ts";
export * from "./nd.ts";
export * as oracle from "./oracle/mod.ts";
export * from "./seeded.ts";
