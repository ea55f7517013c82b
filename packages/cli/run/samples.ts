import { generate, inkSheet, type StrokeTokenizer, type Transformer } from "@cursive/cursive-model";
import type { SampleConfig } from "../config/run_config.ts";

/** Has the model write the configured texts and draws them on one sheet, as SVG. */
export async function drawSamples(
  model: Transformer,
  options: SampleConfig & { tokenizer: StrokeTokenizer; seed: number; maxTokens: number },
): Promise<string> {
  const sequences = await generate(model, options);
  const items = sequences.map((tokens, i) => ({ ink: options.tokenizer.segments(tokens), caption: options.texts[i]! }));
  return inkSheet(items, {
    columns: 3,
    smooth: true,
    background: "white",
    scale: 300,
    title: `Written by the model: ${options.texts.join(", ")}`,
  });
}
