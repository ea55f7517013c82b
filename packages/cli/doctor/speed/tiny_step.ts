import { StrokeTokenizer } from "@cursive/cursive-model";
import { presets } from "../../config/presets.ts";
import type { RunConfig } from "../../config/run_config.ts";
import { openData } from "../../run/data.ts";
import { estimateRun } from "../../run/estimate.ts";

/** What a training step of the preset tiny takes here. */
export interface TinyStep {
  readonly milliseconds: number;
  readonly dispatches: number;
  /** Multiplications and additions of its products and attentions. */
  readonly flops: number;
  /** Steps of the preset. */
  readonly steps: number;
}

/** Words of which a few batches are made: as many as the preset's would take longer to draw than to train on. */
const WORDS = 200;
const TIMED_STEPS = 4;

/** Takes some real training steps of the preset tiny on the default device. */
export async function measureTinyStep(progress: (text: string) => void): Promise<TinyStep> {
  const tiny = presets.tiny.config;
  const config = { ...tiny, data: { ...tiny.data, words: WORDS } };
  const data = await openData(config);
  const say = (text: string): void => progress(`a training step of tiny: ${text}`);
  const { millisecondsPerStep, dispatches } = await estimateRun(config, { data, timedSteps: TIMED_STEPS, say });
  return { milliseconds: millisecondsPerStep!, dispatches, flops: flopsOfStep(config), steps: tiny.steps };
}

/** Twice the multiplications of the forward pass, three times: the backward pass has two products for each. */
function flopsOfStep({ data, model, training }: RunConfig): number {
  const { nEmbd: width, nLayer: layers } = model;
  const { maxLength: length, contextLength: context } = data;
  const { vocabSize } = new StrokeTokenizer({ bins: data.bins });
  const token = layers * (4 + 2 + 8) * width ** 2 + width * vocabSize; // self-attention, queries and output of the other, MLP
  const letter = layers * 2 * width ** 2; // keys and values of the text
  const attention = layers * length * 2 * (length / 2 + context) * width;
  return 6 * training.batchSize * (length * token + context * letter + attention);
}
