export { main } from "./cli.ts";
export { type Preset, presets } from "./config/presets.ts";
export type { RunConfig } from "./config/run_config.ts";
