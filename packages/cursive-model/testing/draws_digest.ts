import { createRng } from "@cursive/tensor";
import { type AugmentationRanges, coarseAugmentation, defaultAugmentation } from "../data/augment.ts";
import { WordDataset } from "../data/dataset.ts";
import { makeWords } from "../data/make_words.ts";
import { type StrokeBinsName, strokeBins } from "../data/stroke_bins.ts";
import { StrokeTokenizer } from "../data/tokenizer.ts";
import type { Word } from "../data/word.ts";

/** Digests of everything random that training data is made of: what was drawn, and 16 hexadecimal digits. */
export type DrawsDigest = Readonly<Record<string, string>>;

/** What {@link digestDraws} gives in every runtime, whatever its engine's sine and logarithm. A change means: old seeds give new data. */
export const expectedDraws: DrawsDigest = {
  normals: "4c46ebbf51e480c0",
  "edges of polar-151": "cd8b9dee8ca2fd4c",
  "edges of polar-220-word": "5cc6026127dad1c2",
  "edges of polar-73": "3226d44191f70755",
  "words of the built-in hand": "8a00d63892ade98f",
  "batches in polar-73": "ba65fc24330584e2",
  "batches in polar-151": "050118a5cabba2c3",
  "batches in polar-220-word": "11d11b2d44f439d1",
  "batches in polar-151, ink as it is": "4441c17388bb7a57",
};

/** How ink is cut and varied in the batches of {@link digestDraws}. */
const recipes: readonly { bins: StrokeBinsName; augment: AugmentationRanges | false; numWords: number; maxLength: number }[] = [
  { bins: "polar-73", augment: coarseAugmentation, numWords: 1, maxLength: 128 },
  { bins: "polar-151", augment: defaultAugmentation, numWords: 4, maxLength: 1000 },
  { bins: "polar-220-word", augment: defaultAugmentation, numWords: 4, maxLength: 1000 },
  { bins: "polar-151", augment: false, numWords: 1, maxLength: 1000 },
];

/**
 * Draws words, splits and batches as training does, and digests every bit of them. Two runtimes that agree on this train on the same data:
 * compare with {@link expectedDraws}. Needs neither a GPU nor anything of the runtime beyond ECMAScript.
 *
 * @example
 * ```ts
 * const draws = digestDraws();
 * for (const [name, digest] of Object.entries(expectedDraws)) if (draws[name] !== digest) console.error(`${name} differ here`);
 * ```
 */
export function digestDraws(): DrawsDigest {
  const digests: Record<string, string> = {};
  const rng = createRng(42, "digest");
  digests.normals = digest([Float64Array.from({ length: 4096 }, () => rng.normal())]);
  for (const [name, { theta, radius }] of Object.entries(strokeBins)) digests[`edges of ${name}`] = digest([theta, radius]);
  const words = makeWords({ count: 300 });
  digests["words of the built-in hand"] = digestWords(words);
  for (const { bins, augment, numWords, maxLength } of recipes) {
    const dataset = new WordDataset(words, { tokenizer: new StrokeTokenizer({ bins }), augment, numWords, maxLength });
    const batches = (["train", "test"] as const).flatMap((split) =>
      Array.from({ length: 4 }, (_, step) => dataset.batch({ step, batchSize: 16, split })),
    );
    const tokens = batches.flatMap((batch) => [batch.tokens, batch.targets, batch.context]);
    digests[`batches in ${bins}${augment ? "" : ", ink as it is"}`] = digest(tokens);
  }
  return digests;
}

function digestWords(words: readonly Word[]): string {
  const texts = words.map(({ text }) => Uint16Array.from(text, (character) => character.charCodeAt(0)));
  return digest([...texts, ...words.map(({ points }) => Float64Array.from(points.flat()))]);
}

/** FNV-1a over the bytes, in two lanes with different offsets: enough to tell that anything differs. */
function digest(arrays: readonly ArrayBufferView[]): string {
  const prime = 0x01000193;
  let [a, b] = [0x811c9dc5, 0x27d4eb2f];
  for (const { buffer, byteOffset, byteLength } of arrays) {
    for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) {
      a = Math.imul(a ^ byte, prime);
      b = Math.imul(b ^ byte, prime) ^ (b >>> 15);
    }
  }
  return [a, b].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
}
