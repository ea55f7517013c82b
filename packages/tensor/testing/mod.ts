/** What the engine's own tests use, and tests of programs on top of it may: oracles in float64, error bounds, generators of cases. */
export * from "./arbitrary.ts";
export * from "./directional_derivative.ts";
export * from "./error_bound.ts";
export * from "./expect_close.ts";
export * from "./nd.ts";
export * as oracle from "./oracle/mod.ts";
