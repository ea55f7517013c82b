import type { StrokeTokenizerConfig } from "@cursive/cursive-model";
import type { WriteRequest } from "./write.ts";

/** A text that the app's model wrote when the app was made: what is shown until the reader's own GPU writes. */
export interface Opening {
  readonly tokenizer: StrokeTokenizerConfig;
  readonly words: readonly { readonly text: string; readonly tokens: readonly number[] }[];
}

/** How the page writes where its link says nothing else. */
export const firstSettings: { readonly text: string; readonly seed: number; readonly temperature: number; readonly topK: number } = {
  text: "watch me write",
  seed: 1,
  temperature: 0.5,
  topK: 40,
};

/** The same, as a request. */
export const openingRequest: WriteRequest = {
  words: firstSettings.text.split(" ").map((text) => ({ text, seed: firstSettings.seed, copy: 0 })),
  temperature: firstSettings.temperature,
  topK: firstSettings.topK,
  withoutText: false,
  keepLogits: false,
};
