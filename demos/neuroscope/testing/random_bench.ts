import { StrokeTokenizer, Transformer } from "@cursive/cursive-model";
import { createSae } from "@cursive/sae";
import { createRng, type StateDict } from "@cursive/tensor";
import type { FeatureBench } from "../engine/features.ts";

/** A small model of random parameters, large enough for ink to depend on them, with an autoencoder as random. A device must be open. */
export function randomBench(): FeatureBench {
  const tokenizer = new StrokeTokenizer({ alphabet: "abcdefghijklmnopqrstuvwxyz", bins: "polar-73", decode: "centre" });
  const { vocabSize, contextVocabSize } = tokenizer;
  const model = new Transformer({ nLayer: 2, nHead: 2, nEmbd: 16, blockSize: 128, contextBlockSize: 10, vocabSize, contextVocabSize });
  const rng = createRng(7, "bench");
  const state: StateDict = new Map();
  for (const [name, parameter] of model.namedParameters()) {
    const gain = parameter.rank === 2 && !name.includes("transformer.w") ? 1.5 / Math.sqrt(parameter.shape[1]!) : 0.5;
    const isScale = name.includes("ln_") && name.endsWith("weight");
    const data = Float32Array.from({ length: parameter.size }, () => (isScale ? 1 : 0) + gain * rng.normal());
    state.set(name, { shape: parameter.shape, dtype: "f32", data });
  }
  model.loadStateDict(state);
  const sae = createSae({ architecture: "topk", dIn: 16, dSae: 24, k: 4, seed: 2 });
  return { model, tokenizer, sae, site: "blocks.0.hook_resid_post" };
}
