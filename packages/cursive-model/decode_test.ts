import { type Device, openDevice, tensor } from "@cursive/tensor";
import { epsilon, expectClose, runs, seed, seededIndices, withMutation } from "@cursive/tensor/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Decoder } from "./decode.ts";
import { randomModel } from "./testing/random_model.ts";
import type { Transformer, TransformerConfig } from "./transformer.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

/** A model, and sequences to go through: `started` tokens at once, the others one by one. */
interface Case {
  readonly family: Device["family"];
  readonly nLayer: number;
  readonly nHead: number;
  readonly headSize: number;
  readonly batch: number;
  readonly characters: number;
  readonly started: number;
  readonly length: number;
  readonly seed: number;
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    family: fc.constantFrom("portable", "panel", "tile"),
    nLayer: fc.integer({ min: 1, max: 3 }),
    nHead: fc.integer({ min: 1, max: 3 }),
    headSize: fc.constantFrom(8, 5, 6, 40), // the last is too wide for a token in one launch
    batch: fc.integer({ min: 1, max: 3 }),
    characters: fc.integer({ min: 1, max: 9 }),
    started: fc.integer({ min: 1, max: 20 }),
    more: fc.integer({ min: 0, max: 20 }),
    seed: seed(),
  })
  .map(({ more, ...rest }) => ({ ...rest, length: rest.started + more }) as Case);

const example: Case = {
  family: "panel",
  nLayer: 2,
  nHead: 2,
  headSize: 8,
  batch: 2,
  characters: 5,
  started: 3,
  length: 12,
  seed: 1,
};

const wide: Case = { ...example, headSize: 40 };

const configOf = ({ nLayer, nHead, headSize, characters, length }: Case): TransformerConfig => ({
  nLayer,
  nHead,
  nEmbd: nHead * headSize,
  blockSize: length,
  contextBlockSize: characters,
  vocabSize: 19,
  contextVocabSize: 7,
});

function inputsOf({ batch, characters, length, seed }: Case): { tokens: Int32Array; context: Int32Array<ArrayBuffer> } {
  return {
    tokens: Int32Array.from(seededIndices(seed, [batch, length], 19).data),
    context: Int32Array.from(seededIndices(seed + 1, [batch, characters], 7).data),
  };
}

/** Columns `start` … `end − 1` of tokens `[B, length]`. */
function columns(tokens: Int32Array, { batch, length }: Case, [start, end]: [number, number]): Int32Array<ArrayBuffer> {
  return Int32Array.from(Array.from({ length: batch }, (_, b) => [...tokens.subarray(b * length + start, b * length + end)]).flat());
}

/** The logits after each place from the last of those started with, `[B, V]` each. */
async function decoded(model: Transformer, c: Case): Promise<Float32Array[]> {
  const { tokens, context } = inputsOf(c);
  const decoder = new Decoder(model, { batch: c.batch, context });
  const logits = [await decoder.start(columns(tokens, c, [0, c.started]))];
  for (let at = c.started; at < c.length; at++) logits.push(await decoder.next(columns(tokens, c, [at, at + 1])));
  expect(decoder.length).toBe(c.length);
  decoder.release();
  return logits;
}

/** The same from one pass over the whole sequences. */
async function recomputed(model: Transformer, c: Case): Promise<Float32Array[]> {
  const { tokens, context } = inputsOf(c);
  const { logits } = model.forward(tensor(tokens, { shape: [c.batch, c.length] }), tensor(context, { shape: [c.batch, c.characters] }));
  const places = Array.from({ length: c.length - c.started + 1 }, (_, i) => logits.select(1, c.started - 1 + i));
  return Promise.all(places.map(async (x) => (await x.data()) as Float32Array));
}

/**
 * By how much layer normalisations enlarge errors beyond what is usual: they divide by a row's standard deviation, which in a row of few
 * elements may be far below the elements themselves. Up to a quotient of 16 is usual.
 */
async function enlargement(model: Transformer, c: Case): Promise<number> {
  const { tokens, context } = inputsOf(c);
  const ids = [tensor(tokens, { shape: [c.batch, c.length] }), tensor(context, { shape: [c.batch, c.characters] })] as const;
  const { cache } = model.runWithCache(...ids, { namesFilter: ["*hook_scale", "*hook_resid_*"] });
  let [least, largest] = [Number.POSITIVE_INFINITY, 0];
  for (const [name, values] of cache) {
    for (const value of await values.data())
      if (name.endsWith("hook_scale")) least = Math.min(least, value);
      else largest = Math.max(largest, Math.abs(value));
  }
  return Math.max(1, largest / least / 16);
}

/**
 * Kernels sum in another order for one place than for many, so both results may be off by what f32 does to a model of this depth: about 4
 * units of 2⁻²⁴ of the largest logit in PyTorch, several more with WGSL's `exp`.
 */
async function agree(c: Case): Promise<void> {
  const { family } = device;
  device.family = c.family;
  try {
    const model = randomModel(configOf(c), c.seed % 1000);
    const [actual, expected] = [await decoded(model, c), await recomputed(model, c)];
    const largest = expected.flatMap((x) => [...x]).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const bound = 64 * epsilon * largest * (await enlargement(model, c));
    for (const [i, logits] of expected.entries()) expectClose(actual[i]!, logits, bound);
  } finally {
    device.family = family;
  }
}

describe("Decoder", () => {
  it("gives the logits of the whole sequence's pass at every place, in every family, for any model, batch and start", async () => {
    await fc.assert(fc.asyncProperty(cases, agree), runs(24));
  });

  it("would be caught attending to a place too few, or keeping a key in the wrong place", async () => {
    const broken = (
      shader: "attention_cached" | "row_program" | "row_program_panel",
      edit: readonly [string, string],
      c: Case,
    ): Promise<void> => withMutation(shader, edit, () => expect(agree(c)).rejects.toThrow("outside"));
    await broken("attention_cached", ["j < length;", "j + 1u < length;"], wide);
    await broken("attention_cached", ["keys[place + c] = key;", "keys[rows + c] = key;"], wide);
    const tiled = { ...example, family: "tile" } as const;
    await broken("row_program", ["select(0u, length, isThere)", "select(0u, length - 1u, isThere)"], tiled);
    await broken("row_program", ["keys[place] =", "keys[place + D4] ="], tiled);
    if (!device.hasFamily("panel")) return;
    await broken("row_program_panel", ["j < length;", "j + 1u < length;"], { ...example, family: "panel" });
    await broken("row_program_panel", ["keys[place + i] =", "keys[rows + i] ="], { ...example, family: "panel" });
  });

  it("takes a token of a small model in one launch, and shows it to hooks if there are any", async () => {
    const model = randomModel(configOf(example), 1);
    const { tokens, context } = inputsOf(example);
    const decoder = new Decoder(model, { batch: 2, context });
    await decoder.start(columns(tokens, example, [0, 3]));
    const [token, before] = [columns(tokens, example, [3, 4]), device.stats().dispatches];
    const logits = await decoder.next(token);
    expect(device.stats().dispatches - before).toBe(1);
    const seen: (readonly number[])[] = [];
    const handle = model.transformer.h.at(1)!.mlp.registerForwardHook((_mlp, _inputs, output) => void seen.push(output.shape));
    decoder.rewind(3);
    const watched = await decoder.next(token);
    handle.remove();
    expect(seen).toEqual([[2, 1, 16]]);
    const largest = logits.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    expectClose(watched, logits, 64 * epsilon * largest);
    decoder.release();
  });

  it("starts anew, with the model's parameters of then, and goes back to where it was", async () => {
    for (const c of [example, wide]) {
      const model = randomModel(configOf(c), 1);
      const { tokens, context } = inputsOf(c);
      const run = async (decoder: Decoder): Promise<Float32Array[]> => [
        await decoder.start(columns(tokens, c, [0, 3])),
        await decoder.next(columns(tokens, c, [3, 4])),
        await decoder.next(columns(tokens, c, [4, 5])),
      ];
      const decoder = new Decoder(model, { batch: 2, context });
      const first = await run(decoder);
      expect(await run(decoder)).toEqual(first);
      decoder.rewind(4);
      expect(await decoder.next(columns(tokens, c, [4, 5]))).toEqual(first[2]);
      expect(() => decoder.rewind(6)).toThrow("Expected a length of at most 5 but found 6");
      model.loadStateDict(await randomModel(configOf(c), 2).stateDict());
      const changed = await run(decoder);
      expect(changed).not.toEqual(first);
      const fresh = new Decoder(model, { batch: 2, context });
      expect(changed).toEqual(await run(fresh));
      for (const each of [decoder, fresh]) each.release();
    }
  });

  it("gives each sequence the same whatever stands beside it, and the same bits again", async () => {
    const model = randomModel(configOf(example), 1);
    const [first, again] = [await decoded(model, example), await decoded(model, example)];
    expect(again).toEqual(first);
    const alone = await decoded(model, { ...example, batch: 1 }); // the first row's draws are the same
    for (const [i, logits] of alone.entries()) {
      const largest = logits.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      expectClose(logits, first[i]!.subarray(0, 19), 64 * epsilon * largest);
    }
  });

  it("takes a token in one submit with as many launches at any length, and compiles nothing for it", async () => {
    const c = { ...example, length: 200 };
    const model = randomModel(configOf(c), 1);
    const { tokens, context } = inputsOf(c);
    const decoder = new Decoder(model, { batch: c.batch, context });
    await decoder.start(columns(tokens, c, [0, 3]));
    await decoder.next(columns(tokens, c, [3, 4]));
    const before = device.stats();
    for (let at = 4; at < 200; at++) await decoder.next(columns(tokens, c, [at, at + 1]));
    const after = device.stats();
    expect(after.submits - before.submits).toBe(196);
    expect((after.dispatches - before.dispatches) % 196).toBe(0);
    for (const count of ["pipelines", "bindGroups", "buffersCreated"] as const) expect(after[count], count).toBe(before[count]);
    await expect(decoder.next(columns(tokens, c, [0, 1]))).rejects.toThrow("Expected a place left in the cache but found all 200 taken");
    decoder.release();
  });

  it("gives its memory back", async () => {
    const model = randomModel(configOf(example), 1);
    await decoded(model, example);
    const before = device.stats().bytesInUse;
    const decoder = new Decoder(model, { batch: 2, context: inputsOf(example).context });
    expect(device.stats().bytesInUse).toBeGreaterThan(before + 2 * 2 * 2 * 12 * 16 * 4 - 1); // layers, keys and values, batch, places, width
    decoder.release();
    expect(device.stats().bytesInUse).toBeLessThan(before + 4096); // the text's tokens
  });
});
