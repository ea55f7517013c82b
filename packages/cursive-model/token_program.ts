import { RowProgram } from "@cursive/tensor";
import type { BlockCaches } from "./block.ts";
import type { Transformer } from "./transformer.ts";

/**
 * The model's pass over one token of each sequence, gone on with from what the caches keep, as a program of one launch. It takes tokens and
 * their places, i32 `[B, 2]`, and gives logits `[B, V]`: what the modules give, without hooks.
 */
export function tokenProgram(model: Transformer, options: { readonly batch: number; readonly caches: readonly BlockCaches[] }): RowProgram {
  const { batch, caches } = options;
  const { transformer, lm_head } = model;
  const program = new RowProgram({ rows: batch, device: lm_head.weight.device });
  const token = program.pick(transformer.wte.weight, { id: 0 });
  let x = program.pick(transformer.wpe.weight, { id: 1, plus: token });
  for (const [i, { ln_1, attn, ln_2, cross_attn, ln_3, mlp }] of [...transformer.h].entries()) {
    const { self, cross } = caches[i]!;
    const seen = program.append(program.linear(program.layerNorm(x, ln_1), attn.c_attn), self);
    x = program.linear(seen, attn.c_proj, { residual: x });
    const read = program.attend(program.linear(program.layerNorm(x, ln_2), cross_attn.c_attn_q), cross);
    x = program.linear(read, cross_attn.c_proj, { residual: x });
    const hidden = program.linear(program.layerNorm(x, ln_3), mlp.c_fc, { activation: "gelu" });
    x = program.linear(hidden, mlp.c_proj, { residual: x });
  }
  program.linear(program.layerNorm(x, transformer.ln_f), lm_head);
  return program;
}
