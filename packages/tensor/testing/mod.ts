/** What the engine's own tests use, and tests of programs on top of it may: oracles in float64, error bounds, generators of cases. */
export { withMutation } from "../device/kernel.ts";
export * from "./arbitrary.ts";
export * from "./float64.ts";
export * from "./torch_file.ts";
