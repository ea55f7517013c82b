import { type Device, type HostTensor, openDevice, TensorError, tensor } from "@cursive/tensor";
import { epsilon, expectClose, runs, seededIndices } from "@cursive/tensor/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "./testing/random_model.ts";
import { Transformer, type TransformerConfig } from "./transformer.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const config: TransformerConfig = {
  nLayer: 2,
  nHead: 2,
  nEmbd: 10,
  blockSize: 40,
  contextBlockSize: 6,
  vocabSize: 19,
  contextVocabSize: 7,
};

/** A model's input as plain lists: one of `tokens` and one of `context` a sequence. */
interface Input {
  readonly tokens: number[][];
  readonly context: number[][];
}

/** Sequences of T tokens and S characters from a seed. */
function inputOf({ batch, length, characters, seed }: { batch: number; length: number; characters: number; seed: number }): Input {
  const rows = (width: number, n: number, from: number): number[][] => {
    const { data } = seededIndices(from, [batch, width], n);
    return Array.from({ length: batch }, (_, b) => [...data.subarray(b * width, (b + 1) * width)]);
  };
  return { tokens: rows(length, config.vocabSize, seed), context: rows(characters, config.contextVocabSize, seed + 1) };
}

const sizes = {
  batch: fc.integer({ min: 1, max: 4 }),
  length: fc.integer({ min: 1, max: config.blockSize }),
  characters: fc.integer({ min: 1, max: config.contextBlockSize }),
  seed: fc.nat(1e6),
};
const inputs: fc.Arbitrary<Input> = fc.record(sizes).map(inputOf);

const i32 = (rows: readonly (readonly number[])[]) => tensor(rows, { dtype: "i32" });

/** Logits, a list of `[T, V]` per sequence. */
async function logitsOf(model: Transformer, { tokens, context }: Input): Promise<Float32Array[]> {
  const data = (await model.forward(i32(tokens), i32(context)).logits.data()) as Float32Array;
  const each = data.length / tokens.length;
  return tokens.map((_, b) => data.slice(b * each, (b + 1) * each));
}

/**
 * Checks that results differ by rounding only. Kernels sum in another order where sizes differ, so two results may each be off by what f32
 * does to a model of this depth: about 4 units of 2⁻²⁴ of the largest logit in PyTorch (its goldens say), several more with WGSL's `exp`.
 */
function expectEqualButForRounding(actual: Float32Array, expected: Float32Array): void {
  const largest = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  expectClose(actual, expected, 64 * epsilon * largest);
}

const trainedLooking = (seed = 1) => randomModel(config, seed);

describe("the transformer", () => {
  it("sees no token after the one it speaks of, to the last bit", async () => {
    const model = trainedLooking();
    await fc.assert(
      fc.asyncProperty(inputs, fc.nat(), fc.nat(), async (input, pickRow, pickPlace) => {
        const [row, place] = [pickRow % input.tokens.length, pickPlace % input.tokens[0]!.length];
        const changed = input.tokens.map((tokens, b) => tokens.map((t, i) => (b === row && i === place ? (t + 1) % config.vocabSize : t)));
        const [before, after] = [await logitsOf(model, input), await logitsOf(model, { ...input, tokens: changed })];
        const cut = place * config.vocabSize;
        for (const b of before.keys()) {
          const isOther = b !== row;
          expect(after[b]!.subarray(0, isOther ? undefined : cut)).toEqual(before[b]!.subarray(0, isOther ? undefined : cut));
        }
        expect(after[row]!.subarray(cut, cut + config.vocabSize)).not.toEqual(before[row]!.subarray(cut, cut + config.vocabSize));
      }),
      runs(12),
    );
  });

  it("reads the text at every place, and no other sequence's", async () => {
    const model = trainedLooking();
    await fc.assert(
      fc.asyncProperty(inputs, fc.nat(), fc.nat(), async (input, pickRow, pickPlace) => {
        const [row, place] = [pickRow % input.context.length, pickPlace % input.context[0]!.length];
        const changed = input.context.map((c, b) => c.map((id, i) => (b === row && i === place ? (id + 1) % config.contextVocabSize : id)));
        const [before, after] = [await logitsOf(model, input), await logitsOf(model, { ...input, context: changed })];
        for (const b of before.keys()) {
          if (b !== row) expect(after[b]).toEqual(before[b]);
          else
            for (let at = 0; at < before[b]!.length; at += config.vocabSize)
              expect(after[b]!.subarray(at, at + config.vocabSize)).not.toEqual(before[b]!.subarray(at, at + config.vocabSize));
        }
      }),
      runs(8),
    );
  });

  it("gives a sequence what it gives it alone", async () => {
    const model = trainedLooking();
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => {
        const together = await logitsOf(model, input);
        for (const [b, logits] of together.entries()) {
          const [alone] = await logitsOf(model, { tokens: [input.tokens[b]!], context: [input.context[b]!] });
          expectEqualButForRounding(logits, alone!);
        }
      }),
      runs(6),
    );
  });

  it("gives a shorter sequence the beginning of the longer one's", async () => {
    const model = trainedLooking();
    await fc.assert(
      fc.asyncProperty(inputs, fc.nat(), async (input, pick) => {
        const length = 1 + (pick % input.tokens[0]!.length);
        const whole = await logitsOf(model, input);
        const short = await logitsOf(model, { ...input, tokens: input.tokens.map((t) => t.slice(0, length)) });
        for (const [b, logits] of short.entries()) expectEqualButForRounding(logits, whole[b]!.slice(0, length * config.vocabSize));
      }),
      runs(8),
    );
  });

  it("spells nothing with its text ablated: then all texts are one", async () => {
    const model = trainedLooking();
    const [a, b] = [1, 2].map((seed) => inputOf({ batch: 2, length: 9, characters: 6, seed })) as [Input, Input];
    const ablated = async (context: number[][]): Promise<unknown> =>
      model.forward(i32(a.tokens), i32(context), null, { ablateCrossAttention: true }).logits.data();
    expect(await ablated(b.context)).toEqual(await ablated(a.context));
  });

  it("leaves targets of −1 out of its loss", async () => {
    const model = trainedLooking();
    const input = inputOf({ batch: 2, length: 5, characters: 3, seed: 5 });
    const targets = [
      [3, -1, 7, -1, 0],
      [-1, -1, 18, 2, -1],
    ];
    const logits = await logitsOf(model, input);
    const costs = targets.flatMap((row, b) =>
      row.flatMap((target, t) => {
        const at = logits[b]!.subarray(t * config.vocabSize, (t + 1) * config.vocabSize);
        return target < 0 ? [] : [Math.log(at.reduce((sum, v) => sum + Math.exp(v), 0)) - at[target]!];
      }),
    );
    const { loss } = model.forward(i32(input.tokens), i32(input.context), i32(targets));
    const wanted = costs.reduce((a, b) => a + b, 0) / costs.length;
    // log Σ exp over 19 logits, one subtraction and a mean of five: some thirty roundings, and log's own 2⁻²¹ (WGSL's table).
    expectClose([await loss!.item()], [wanted], 30 * epsilon * Math.max(...costs) + 2 ** -20);
  });

  it("refuses inputs that do not fit, before anything runs", () => {
    const model = new Transformer(config);
    const zeros = (shape: number[]) => tensor(new Int32Array(shape.reduce((a, b) => a * b)), { shape });
    const forward =
      (tokens: number[], context: number[], targets: number[] = tokens) =>
      () =>
        model.forward(zeros(tokens), zeros(context), zeros(targets));
    expect(forward([2, 41], [2, 6])).toThrow("Expected at most 40 tokens and 6 characters but found tokens [2,41] and context [2,6]");
    expect(forward([2, 40], [2, 7])).toThrow("Expected at most 40 tokens and 6 characters but found tokens [2,40] and context [2,7]");
    expect(forward([2, 4], [3, 6])).toThrow("of one batch size but found tokens [2,4] and context [3,6]");
    expect(forward([4], [1, 6])).toThrow("Expected tokens [B, T] and context [B, S]");
    expect(forward([1, 4], [1, 6], [1, 5])).toThrow(
      "crossEntropy: expected logits [.., V] and targets [..] but found [1, 4, 19] and [1, 5]",
    );
  });

  it("refuses sizes that make no model", () => {
    const make = (change: Partial<TransformerConfig>) => () => new Transformer({ ...config, ...change });
    expect(make({ nHead: 3 })).toThrow("Expected a width divisible by 3 heads but found 10");
    expect(make({ nHead: 0 })).toThrow("Expected nHead to be a positive whole number but found 0");
    expect(make({ nLayer: -1 })).toThrow("Expected nLayer to be a positive whole number but found -1");
    expect(make({ blockSize: 1.5 })).toThrow(RangeError);
    expect(make({ vocabSize: Number.NaN })).toThrow("Expected vocabSize to be a positive whole number but found NaN");
  });
});

describe("hooks on the transformer's parts", () => {
  const input = inputOf({ batch: 2, length: 13, characters: 4, seed: 3 });
  const lossOf = async (model: Transformer): Promise<number> =>
    model.forward(i32(input.tokens), i32(input.context), i32(input.tokens)).loss!.item();

  it("change nothing but rounding when they only look, on any part", async () => {
    const model = trainedLooking();
    const plain = await logitsOf(model, input);
    let looks = 0;
    for (const [name, module] of model.namedModules()) {
      if (name === "" || name === "transformer.h") continue; // a list runs nothing, and `forward` runs no hooks of the whole
      const hook = module.registerForwardHook(() => {
        looks++;
        return undefined;
      });
      for (const [b, logits] of (await logitsOf(model, input)).entries()) expectEqualButForRounding(logits, plain[b]!);
      hook.remove();
    }
    expect(looks).toBe([...model.namedModules()].length - 2);
    expect(await logitsOf(model, input)).toEqual(plain);
  });

  it("change the loss when they replace an output, on any part, until they are removed", async () => {
    const model = trainedLooking();
    const plain = await lossOf(model);
    for (const [name, module] of model.namedModules()) {
      if (name === "" || name === "transformer.h") continue;
      const zero = module.registerForwardHook((_module, _inputs, output: unknown) => (output as ReturnType<typeof i32>).mul(0));
      expect(await lossOf(model), name).not.toBe(plain);
      zero.remove();
    }
    expect(await lossOf(model)).toBe(plain);
  });
});

describe("the transformer's parameters", () => {
  const original: TransformerConfig = {
    nLayer: 4,
    nHead: 4,
    nEmbd: 64,
    blockSize: 1000,
    contextBlockSize: 50,
    vocabSize: 455,
    contextVocabSize: 72,
  };

  it("have the PyTorch original's names, shapes and order", () => {
    const model = new Transformer(original);
    const block = (i: number): [string, number[]][] =>
      (
        [
          ["ln_1.weight", [64]],
          ["ln_1.bias", [64]],
          ["attn.c_attn.weight", [192, 64]],
          ["attn.c_attn.bias", [192]],
          ["attn.c_proj.weight", [64, 64]],
          ["attn.c_proj.bias", [64]],
          ["ln_2.weight", [64]],
          ["ln_2.bias", [64]],
          ["cross_attn.c_attn_q.weight", [64, 64]],
          ["cross_attn.c_attn_q.bias", [64]],
          ["cross_attn.c_attn_kv.weight", [128, 64]],
          ["cross_attn.c_attn_kv.bias", [128]],
          ["cross_attn.c_proj.weight", [64, 64]],
          ["cross_attn.c_proj.bias", [64]],
          ["ln_3.weight", [64]],
          ["ln_3.bias", [64]],
          ["mlp.c_fc.weight", [256, 64]],
          ["mlp.c_fc.bias", [256]],
          ["mlp.c_proj.weight", [64, 256]],
          ["mlp.c_proj.bias", [64]],
        ] as [string, number[]][]
      ).map(([name, shape]) => [`transformer.h.${i}.${name}`, shape]);
    const wanted = [
      ["transformer.wte.weight", [455, 64]],
      ["transformer.wpe.weight", [1000, 64]],
      ["transformer.wce.weight", [72, 64]],
      ["transformer.wcpe.weight", [50, 64]],
      ...[0, 1, 2, 3].flatMap(block),
      ["transformer.ln_f.weight", [64]],
      ["transformer.ln_f.bias", [64]],
      ["lm_head.weight", [455, 64]],
    ];
    expect([...model.namedParameters()].map(([name, p]) => [name, [...p.shape]])).toEqual(wanted);
    expect(wanted).toHaveLength(87);
    expect(model.parameterCount()).toBe(397_184);
  });

  it("start as PyTorch's: U(±1/√in) in linear layers, N(0, 1) in embeddings, 1 and 0 in normalisations", async () => {
    const state = await new Transformer(original).stateDict();
    for (const [name, { shape, data }] of state) {
      const values = Array.from(data);
      const count = values.length;
      const variance = values.reduce((sum, v) => sum + v * v, 0) / count;
      const mean = values.reduce((sum, v) => sum + v, 0) / count;
      if (name.includes("ln_")) expect(new Set(values), name).toEqual(new Set([name.endsWith("weight") ? 1 : 0]));
      else if (/\.w(te|pe|ce|cpe)\./.test(name)) {
        // Mean and variance of N numbers from N(0, 1) deviate by 1/√N and √(2/N); five deviations happen once in two million.
        expect(Math.abs(mean), name).toBeLessThan(5 / Math.sqrt(count));
        expect(Math.abs(variance - 1), name).toBeLessThan(5 * Math.sqrt(2 / count));
        expect(Math.max(...values.map(Math.abs)), name).toBeGreaterThan(2.5);
      } else {
        const inputs = name.endsWith("weight") ? shape[1]! : (state.get(name.replace(/bias$/, "weight"))!.shape[1] as number);
        const bound = 1 / Math.sqrt(inputs);
        expect(Math.max(...values.map(Math.abs)), name).toBeLessThanOrEqual(bound);
        // x²/bound² has mean 1/3 and variance 4/45, x/bound has variance 1/3.
        expect(Math.abs(variance / bound ** 2 - 1 / 3), name).toBeLessThan(5 * Math.sqrt(4 / 45 / count));
        expect(Math.abs(mean / bound), name).toBeLessThan(5 * Math.sqrt(1 / 3 / count));
      }
    }
  });

  it("are a function of the seed alone", async () => {
    const first = await new Transformer(config, { seed: 7 }).stateDict();
    new Transformer(config);
    expect(await new Transformer(config, { seed: 7 }).stateDict()).toEqual(first);
    const other = await new Transformer(config, { seed: 8 }).stateDict();
    for (const [name, { data }] of other) if (!name.includes("ln_")) expect(data, name).not.toEqual(first.get(name)!.data);
  });

  it("come back from a state: equal parameters, equal logits", async () => {
    const model = trainedLooking(1);
    const copy = new Transformer(config, { seed: 9 });
    copy.loadStateDict(await model.stateDict());
    const input = inputOf({ batch: 2, length: 7, characters: 3, seed: 4 });
    expect(await logitsOf(copy, input)).toEqual(await logitsOf(model, input));
  });

  it("stay as they are when a state does not fit, and everything wrong with it is said at once", async () => {
    const model = new Transformer(config);
    const before = await model.stateDict();
    const state = new Map<string, HostTensor>(await trainedLooking().stateDict());
    state.delete("lm_head.weight");
    state.delete("transformer.h.0.ln_1.bias");
    state.set("transformer.h.0.attn.bias", { shape: [1], dtype: "f32", data: new Float32Array(1) });
    state.set("transformer.ln_f.bias", { shape: [5, 2], dtype: "f32", data: new Float32Array(10) });
    expect(() => model.loadStateDict(state)).toThrow(TensorError);
    expect(() => model.loadStateDict(state)).toThrow(
      "Expected the state of this model but found another; missing: transformer.h.0.ln_1.bias, lm_head.weight; " +
        "unexpected: transformer.h.0.attn.bias; wrong shape: transformer.ln_f.bias (expected [10], found [5, 2])",
    );
    expect(await model.stateDict()).toEqual(before);
  });
});

describe("a transformer on one of two devices", () => {
  it("runs where it was made, not where tensors are made now", async () => {
    const model = trainedLooking();
    const { tokens, context } = inputOf({ batch: 1, length: 3, characters: 2, seed: 1 });
    const inputs = [i32(tokens), i32(context)] as const;
    using other = await openDevice();
    const wanted = await logitsOf(trainedLooking(), { tokens, context });
    const { dispatches } = other.stats();
    expectEqualButForRounding((await model.forward(...inputs).logits.data()) as Float32Array, wanted[0]!);
    expect(other.stats().dispatches).toBe(dispatches);
  });
});
