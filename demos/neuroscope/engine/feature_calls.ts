import { generate } from "@cursive/cursive-model";
import type { Bench } from "./bench.ts";
import type { CallContext } from "./call.ts";
import { handInk } from "./feature_ink.ts";
import {
  type AblationOnInk,
  ablateOnInk,
  type FeatureBench,
  type FeatureOnInk,
  type InkReading,
  type InkToRead,
  readInk,
} from "./features.ts";
import { ForeignFileError } from "./model_file.ts";
import { type SteerRequest, type SteerResult, steer } from "./steer.ts";

/** Whose ink the features are to be seen on. */
export type InkOrigin =
  | { readonly by: "model"; readonly seed: number; readonly temperature: number; readonly topK: number }
  | { readonly by: "hand"; readonly seed: number }
  | { readonly by: "tokens"; readonly tokens: readonly number[] };

/** What {@link scopeInk} reads. */
export interface ScopeRequest {
  readonly text: string;
  readonly origin: InkOrigin;
}

/** Has the text written, by the model or by the built-in hand, or takes given ink; then reads it. Reports tokens as the model writes. */
export async function scopeInk(bench: Bench, { text, origin }: ScopeRequest, context: CallContext<number[]>): Promise<InkReading> {
  const { model, tokenizer } = bench;
  if (origin.by === "tokens") return readInk(featureBench(bench), { text, tokens: origin.tokens });
  if (origin.by === "hand") return readInk(featureBench(bench), { text, tokens: handInk(text, { tokenizer, seed: origin.seed }) });
  const { seed, temperature, topK } = origin;
  const written = [...tokenizer.encodeStrokes([[0, 0, 1]])];
  const options = { tokenizer, texts: [text], seed, temperature, topK, signal: context.signal };
  const [tokens] = await generate(model, {
    ...options,
    onDraw: (_row, token) => {
      written.push(token);
      context.report([...written]);
    },
  });
  return readInk(featureBench(bench), { text, tokens: Array.from(tokens!) });
}

/** {@link ablateOnInk} on the bench. Reports how many are done. */
export function scopeAblations(
  bench: Bench,
  { ink, features }: { readonly ink: InkToRead; readonly features: readonly FeatureOnInk[] },
  { signal, report }: CallContext<{ readonly done: number; readonly total: number }>,
): Promise<AblationOnInk[]> {
  return ablateOnInk(featureBench(bench), { ink, features, signal, onProgress: (done, total) => report({ done, total }) });
}

/** {@link steer} on the bench. Reports both writings so far. */
export function steerInk(
  bench: Bench,
  request: SteerRequest,
  { signal, report }: CallContext<{ readonly baseline: readonly number[]; readonly steered: readonly number[] }>,
): Promise<SteerResult> {
  return steer(featureBench(bench), request, { signal, onTokens: (baseline, steered) => report({ baseline, steered }) });
}

const benches = new WeakMap<object, FeatureBench>();

/** The bench with its autoencoder, the same object as long as that is the same. @throws ForeignFileError without one. */
function featureBench({ model, tokenizer, sae, saeFacts }: Bench): FeatureBench {
  if (!sae || !saeFacts) throw new ForeignFileError("Expected an autoencoder of this model but found none");
  let found = benches.get(sae);
  if (!found) {
    found = { model, tokenizer, sae, site: saeFacts.hook };
    benches.set(sae, found);
  }
  return found;
}
