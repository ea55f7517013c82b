// Runs once before the tests, so that none of them sees WGSL that is older than its source.
import { generateShaders } from "./gen_shaders.mjs";

export function setup() {
  generateShaders();
}
