import { generate, inkSheet, type StrokeTokenizer, type Transformer } from "@cursive/cursive-model";
import type { SampleConfig } from "../config/run_config.ts";

/** Tokens that a picture of an early step is cut to: what a model writes then is scribbles, and most of it never ends. */
const EARLY_TOKENS = 64;

/** The first step after `step` of the form 1, 10, 30, 100, 300, …: pictures are drawn there besides those of evaluations. */
export function nextEarlyStep(step: number): number {
  if (step < 1) return 1;
  for (let power = 10; ; power *= 10) {
    if (power > step) return power;
    if (3 * power > step) return 3 * power;
  }
}

/** Whether a step is of that form. */
export function isEarlyStep(step: number): boolean {
  return step > 0 && nextEarlyStep(step - 1) === step;
}

/** Where the sheet of a step lies in a run's folder. */
export function samplesName(step: number, format: "svg" | "png" = "svg"): string {
  return `samples/step-${String(step).padStart(6, "0")}.${format}`;
}

/** What {@link drawSamples} wants besides the configuration. */
export interface DrawOptions extends SampleConfig {
  readonly tokenizer: StrokeTokenizer;
  /** Names the random draws, the same at every step. */
  readonly seed: number;
  /** A cheap sheet, cut to few tokens a text. */
  readonly isCut: boolean;
  readonly signal?: AbortSignal;
}

/** Has the model write the configured texts and draws them on one sheet, as SVG. @throws The reason of `signal`, if it asks to stop. */
export async function drawSamples(model: Transformer, options: DrawOptions): Promise<string> {
  const { tokenizer, texts, temperature, topK, seed, signal } = options;
  const maxTokens = options.isCut ? Math.min(EARLY_TOKENS, model.config.blockSize) : model.config.blockSize;
  const sequences = await generate(model, {
    tokenizer,
    texts,
    temperature,
    topK,
    seed,
    maxTokens,
    onToken: () => signal?.throwIfAborted(),
  });
  const items = sequences.map((tokens, i) => ({ ink: tokenizer.segments(tokens), caption: texts[i]! }));
  return inkSheet(items, { columns: 3, background: "white", scale: 300, smooth: true, title: `Written by the model: ${texts.join(", ")}` });
}
