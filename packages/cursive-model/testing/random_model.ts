import type { StateDict } from "@cursive/tensor";
import { seededValues } from "@cursive/tensor/testing";
import { Transformer, type TransformerConfig } from "../transformer.ts";

/** A model with parameters large enough for attention to choose: those of a new one attend almost evenly. */
export function randomModel(config: TransformerConfig, seed: number): Transformer {
  const model = new Transformer(config, { seed });
  const state: StateDict = new Map();
  for (const [i, [name, p]] of [...model.namedParameters()].entries()) {
    const gain = name.includes("ln_") ? 1 : p.rank === 2 && !name.includes("transformer.w") ? 1.5 / Math.sqrt(p.shape[1]!) : 0.5;
    const shift = name.includes("ln_") && name.endsWith("weight") ? 1 : 0;
    const data = Float32Array.from(seededValues(100 * seed + i, p.shape).data, (v) => shift + gain * v);
    state.set(name, { shape: p.shape, dtype: "f32", data });
  }
  model.loadStateDict(state);
  return model;
}
