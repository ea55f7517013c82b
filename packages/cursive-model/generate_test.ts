import { AdamW, createRng, type Device, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StrokeTokenizer } from "./data/tokenizer.ts";
import { type GenerateOptions, generate, sampleToken } from "./generate.ts";
import { Transformer } from "./transformer.ts";

const rngOf = (seed: number) => createRng(seed, "test");

/** How often each token is drawn. */
function tally(logits: number[], { draws, ...options }: { draws: number; temperature?: number; topK?: number }): number[] {
  const rng = rngOf(1);
  const counts = logits.map(() => 0);
  for (let i = 0; i < draws; i++) counts[sampleToken(logits, { temperature: 1, topK: Number.POSITIVE_INFINITY, rng, ...options })]!++;
  return counts;
}

/** Pearson's χ² of counts against probabilities, in standard deviations from what chance gives: χ² has mean k − 1 and variance 2 (k − 1). */
function surprise(counts: number[], probabilities: number[]): number {
  const draws = counts.reduce((a, b) => a + b, 0);
  const squares = counts.reduce((sum, n, i) => sum + (n - draws * probabilities[i]!) ** 2 / (draws * probabilities[i]!), 0);
  return (squares - (counts.length - 1)) / Math.sqrt(2 * (counts.length - 1));
}

function softmax(logits: number[], temperature: number): number[] {
  const powers = logits.map((v) => Math.exp(v / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

describe("sampleToken", () => {
  const logits = [0.3, -1.2, 2, 0, 0.9, -0.4, 1.1, -2, 0.5, 0.7, -0.1, 1.6];

  it("draws tokens as often as their softmax says, at any temperature", () => {
    for (const temperature of [0.5, 1, 2]) {
      expect(surprise(tally(logits, { draws: 20_000, temperature }), softmax(logits, temperature))).toBeLessThan(5);
      expect(surprise(tally(logits, { draws: 20_000, temperature }), softmax(logits, 1.25 * temperature))).toBeGreaterThan(5);
    }
  });

  it("draws from the k likeliest by their own softmax", () => {
    const kept = logits.map((v) => v >= 0.9);
    const counts = tally(logits, { draws: 20_000, topK: 4 });
    expect(counts.every((n, i) => n > 0 === kept[i])).toBe(true);
    const among = (list: number[]) => list.filter((_, i) => kept[i]);
    expect(surprise(among(counts), softmax(among(logits), 1))).toBeLessThan(5);
  });

  it("keeps ties with the k-th", () => {
    const counts = tally([3, 1, 2, 2, 0], { draws: 500, topK: 2 });
    expect(counts.map((n) => n > 0)).toEqual([true, false, true, true, false]);
  });

  it("draws from all when k is as many or more", () => {
    for (const topK of [5, 6, 1e9]) expect(tally([3, 1, 2, 2, 0], { draws: 300, topK })).toEqual(tally([3, 1, 2, 2, 0], { draws: 300 }));
  });

  it("takes the likeliest token at temperature 0, the first of equal ones, and draws nothing for it", () => {
    const rng = rngOf(1);
    expect(sampleToken([1, 4, 2, 4], { temperature: 0, topK: 3, rng })).toBe(1);
    expect(rng.state().position).toBe(0);
  });

  it("goes to the likeliest as the temperature falls, and to all alike as it rises", () => {
    expect(tally(logits, { draws: 200, temperature: 1e-300 })[2]).toBe(200);
    const even = logits.map(() => 1 / logits.length);
    expect(surprise(tally(logits, { draws: 20_000, temperature: 1e300 }), even)).toBeLessThan(5);
  });

  it("looks at differences of logits alone, however large they are", () => {
    const draw = (shift: number) =>
      tally(
        logits.map((v) => v + shift),
        { draws: 300 },
      );
    expect(draw(2 ** 20)).toEqual(draw(0));
    expect(draw(-(2 ** 20))).toEqual(draw(0));
  });

  it("never draws a token of logit −∞", () => {
    expect(tally([Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 0], { draws: 100 })).toEqual([
      0,
      expect.any(Number),
      0,
      expect.any(Number),
    ]);
  });

  it("refuses NaN", () => {
    const rng = rngOf(1);
    for (const temperature of [0, 1])
      expect(() => sampleToken([1, Number.NaN], { temperature, topK: 1, rng })).toThrow("Expected finite logits but found NaN for token 1");
  });
});

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

// Two directions and two lengths: 8 tokens with PAD and END, so that END is drawn often.
const tokenizer = new StrokeTokenizer({ alphabet: "abc", bins: { theta: [-Math.PI, 0], radius: [0, 0.1] } });
const { endToken, vocabSize } = tokenizer;
const blockSize = 100;

/**
 * A model that is far from even-handed: its head is four times what it starts as. The first of the features that the head sees is always 1, and
 * the head does not look at it, so that {@link prefer} has a place.
 */
function makeModel(seed = 1): Transformer {
  const sizes = { nLayer: 1, nHead: 2, nEmbd: 8, blockSize, contextBlockSize: 4, vocabSize, contextVocabSize: tokenizer.contextVocabSize };
  const model = new Transformer(sizes, { seed });
  const { ln_f } = model.transformer;
  const rest = tensor(Float32Array.from({ length: 8 }, (_, i) => (i === 0 ? 0 : 1)));
  ln_f.weight.copyFrom(rest);
  ln_f.bias.copyFrom(rest.mul(-1).add(1));
  model.lm_head.weight.copyFrom(model.lm_head.weight.mul(4).mul(rest).detach());
  return model;
}

/** Makes a token all but certain, or all but impossible. */
function prefer(model: Transformer, token: number, by: number): void {
  model.lm_head.weight.narrow(0, { start: token, length: 1 }).narrow(1, { start: 0, length: 1 }).detach().fill(by);
}

const writeWith =
  (cache: boolean) =>
  (model: Transformer, texts: string[], options: GenerateOptions = {}) =>
    generate(model, { tokenizer, texts, cache, ...options });
const first = [...tokenizer.encodeStrokes([[0, 0, 1]])];

describe.each([true, false])("generate with cache %s", (cache) => {
  const write = writeWith(cache);

  it("writes the same ink for the same seed, other ink for another", async () => {
    const model = makeModel();
    const [a, again, other] = [await write(model, ["ab"]), await write(model, ["ab"]), await write(model, ["ab"], { seed: 1 })];
    expect(again).toEqual(a);
    expect(other).not.toEqual(a);
  });

  it("writes a text alike whatever stands beside it, and equal texts differently", async () => {
    const model = makeModel();
    prefer(model, endToken, -1);
    const [alone] = await write(model, ["ab"], { seed: 3 });
    const [, second, , fourth] = await write(model, ["c", "ab", "", "ab"], { seed: 3 });
    expect(second).toEqual(alone);
    expect(fourth).not.toEqual(alone);
    expect((await write(model, ["ab", "ab"], { seed: 3 }))[1]).toEqual(fourth);
  });

  it("stops at END, which it leaves out, for each text by itself", async () => {
    const model = makeModel();
    const texts = ["a", "b", "c", "ab", "bc", "abc"];
    const inks = await write(model, texts, { seed: 2 });
    expect(new Set(inks.map((ink) => ink.length)).size).toBeGreaterThan(1);
    for (const [i, ink] of inks.entries()) {
      expect(ink).not.toContain(endToken);
      expect([...ink.slice(0, first.length)]).toEqual(first);
      expect([ink]).toEqual(await write(model, [texts[i]!], { seed: 2 }));
    }
    prefer(model, endToken, 1000);
    expect(await write(model, ["a"])).toEqual([Int32Array.from(first)]);
  });

  it("writes as many tokens as it may where no END comes, and says so one by one", async () => {
    const model = makeModel();
    prefer(model, endToken, -1000);
    const counts: [number, number][] = [];
    const [ink] = await write(model, ["abc", "c"], { maxTokens: 7, onToken: (...about) => counts.push(about) });
    expect(ink).toHaveLength(7);
    expect(counts).toEqual([3, 4, 5, 6, 7].map((count) => [count, 2]));
    expect((await write(model, ["abc"], { maxTokens: 1000, start: new Int32Array(blockSize - 2) }))[0]).toHaveLength(blockSize);
    expect((await write(model, ["a"], { start: [1, 2, 3], maxTokens: 3 }))[0]).toEqual(Int32Array.of(1, 2, 3));
    expect(await write(model, [])).toEqual([]);
  });

  it("is greedy at temperature 0: the argmax of the whole model over the growing sequence, past the lengths that are captured", async () => {
    const model = makeModel(4);
    prefer(model, endToken, -1);
    const context = tensor(tokenizer.encodeText("cab", { length: 4 }), { shape: [1, 4] });
    const start = Int32Array.from({ length: 60 }, (_, i) => (i * i) % vocabSize);
    const wanted = [...start];
    while (wanted.length < 72) {
      const { logits } = model.forward(tensor(Int32Array.from(wanted), { shape: [1, wanted.length] }), context);
      const token = await logits.select(1, -1).argmax().item();
      if (token === endToken) break;
      wanted.push(token);
    }
    expect(wanted.length).toBeGreaterThan(66); // 64 and fewer are one captured step, more another
    for (const options of [{ temperature: 0 }, { topK: 1 }])
      expect(await write(model, ["cab"], { start, maxTokens: 72, ...options })).toEqual([Int32Array.from(wanted)]);
  });

  it("writes with the parameters as they are, also after they have changed or moved", async () => {
    const model = makeModel(1);
    const other = makeModel(2);
    const [before, wanted] = [await write(model, ["ab"], { temperature: 0 }), await write(other, ["ab"], { temperature: 0 })];
    expect(wanted).not.toEqual(before);
    model.loadStateDict(await other.stateDict());
    expect(await write(model, ["ab"], { temperature: 0 })).toEqual(wanted);
    new AdamW(model.parameters(), { lr: 0.1 }); // packs them
    expect(await write(model, ["ab"], { temperature: 0 })).toEqual(wanted);
  });

  it("refuses what makes no sense", async () => {
    const model = makeModel();
    await expect(write(model, ["a"], { start: [] })).rejects.toThrow("Expected 1 to 100 tokens to start with but found 0");
    await expect(write(model, ["a"], { start: [1, 2, 3], maxTokens: 2 })).rejects.toThrow(
      "Expected 1 to 2 tokens to start with but found 3",
    );
    await expect(write(model, ["a"], { temperature: -1 })).rejects.toThrow("Expected a temperature of at least 0 but found -1");
    await expect(write(model, ["a"], { temperature: Number.NaN })).rejects.toThrow("Expected a temperature");
    await expect(write(model, ["a"], { topK: 0 })).rejects.toThrow("Expected topK of at least 1 but found 0");
    await expect(generate(model, { tokenizer: new StrokeTokenizer(), texts: ["a"] })).rejects.toThrow(
      "Expected a tokenizer of the model's 8 tokens but found one of 455",
    );
    (model.lm_head.weight as Tensor).fill(Number.NaN);
    await expect(write(model, ["a"])).rejects.toThrow("Expected finite logits but found NaN for token 0");
  });

  it("hands each text over once, when it is done", async () => {
    const model = makeModel();
    const done = new Map<number, Int32Array>();
    const counts: number[] = [];
    const onText = (index: number, tokens: Int32Array): void => {
      expect(done.has(index)).toBe(false);
      done.set(index, tokens);
      counts.push(tokens.length);
    };
    const inks = await write(model, ["a", "b", "c", "ab", "bc", "abc"], { seed: 2, maxTokens: 20, onText });
    expect(inks.map((_, i) => done.get(i))).toEqual(inks);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  it("stops where it is asked to, with the reason that it is given", async () => {
    const model = makeModel();
    prefer(model, endToken, -1000);
    const controller = new AbortController();
    const onToken = (count: number): void => {
      if (count === 5) controller.abort(new Error("enough"));
    };
    await expect(write(model, ["a"], { onToken, signal: controller.signal })).rejects.toThrow("enough");
  });
});

describe("generate", () => {
  const [cached, recomputing] = [writeWith(true), writeWith(false)];

  it("draws the same from kept keys and values as from whole sequences", async () => {
    for (const seed of [1, 2, 3]) {
      const model = makeModel(seed);
      prefer(model, endToken, -2);
      const start = Int32Array.from({ length: 2 + 20 * seed }, (_, i) => (i * i) % vocabSize);
      for (const options of [{ seed }, { seed, start }, { seed, temperature: 0.5, topK: 3 }])
        expect(await cached(model, ["a", "abc", "b"], options)).toEqual(await recomputing(model, ["a", "abc", "b"], options));
    }
  });

  it("draws each text from a stream of its own where it is given one", async () => {
    const model = makeModel();
    const given = () => [createRng(4, "generate", "b", 0), createRng(9, "mine")];
    for (const write of [cached, recomputing]) {
      const [first, second] = await write(model, ["b", "b"], { draws: given() });
      expect(first).toEqual((await write(model, ["b"], { seed: 4 }))[0]);
      expect(second).toEqual((await write(model, ["b"], { draws: given().slice(1) }))[0]);
    }
    await expect(cached(model, ["a", "b"], { draws: [createRng(1)] })).rejects.toThrow("Expected 2 streams of draws but found 1");
  });

  it("writes the same whatever the text where it is left out, and as the whole model without it", async () => {
    const model = makeModel();
    prefer(model, endToken, -2);
    const options = { ablateCrossAttention: true, temperature: 0 };
    const [a, b] = await cached(model, ["a", "cab"], options);
    expect(a).toEqual(b);
    expect(await recomputing(model, ["a", "cab"], options)).toEqual([a, b]);
    expect(await cached(model, ["a"], { temperature: 0 })).not.toEqual([a]);
  });

  it("hands over every token with the logits that it was drawn from", async () => {
    const model = makeModel();
    const drawn: [number, number][] = [];
    const onDraw = (index: number, token: number, logits: Float32Array): void => {
      expect(logits[token]).toBe(Math.max(...logits));
      drawn.push([index, token]);
    };
    const texts = await cached(model, ["a", "b"], { temperature: 0, onDraw, maxTokens: 20 });
    for (const [i, tokens] of texts.entries()) {
      const own = drawn.filter(([index]) => index === i).map(([, token]) => token);
      expect(own.filter((token) => token !== endToken)).toEqual([...tokens.subarray(first.length)]);
    }
  });

  it("writes more texts than fit in a batch, each as if it were alone", async () => {
    const model = makeModel();
    const texts = Array.from({ length: 150 }, (_, i) => ["a", "b", "c", "ab"][i % 4]!);
    const inks = await cached(model, texts, { seed: 4, maxTokens: 12 });
    expect(inks).toHaveLength(150);
    expect(inks.slice(0, 4)).toEqual(await cached(model, texts.slice(0, 4), { seed: 4, maxTokens: 12 }));
    expect(inks.slice(0, 70)).toEqual(await cached(model, texts.slice(0, 70), { seed: 4, maxTokens: 12 }));
  });

  it("lets hooks see whole sequences, and what they do is done", async () => {
    const model = makeModel(3);
    prefer(model, endToken, -1000);
    const plain = await cached(model, ["ab"], { temperature: 0, maxTokens: 12 });
    const lengths: number[] = [];
    const hook = model.transformer.registerForwardHook((_module, _inputs, x) => {
      lengths.push(x.shape[1]!);
      return x.mul(-1);
    });
    const hooked = await cached(model, ["ab"], { temperature: 0, maxTokens: 12 });
    expect(hooked).toEqual(await recomputing(model, ["ab"], { temperature: 0, maxTokens: 12 }));
    expect(hooked).not.toEqual(plain);
    expect(lengths.every((length) => length >= 12)).toBe(true);
    hook.remove();
    expect(await cached(model, ["ab"], { temperature: 0, maxTokens: 12 })).toEqual(plain);
  });

  it("goes over to whole sequences when a hook comes while it writes", async () => {
    const model = makeModel(3);
    prefer(model, endToken, -1000);
    const late = (write: typeof cached) => {
      let handle: { remove(): void } | undefined;
      const onToken = (count: number): void => {
        if (count === 6) handle = model.lm_head.registerForwardHook((_module, _inputs, logits) => logits.mul(-1));
      };
      return write(model, ["ab"], { temperature: 0, maxTokens: 12, onToken }).finally(() => handle?.remove());
    };
    expect(await late(cached)).toEqual(await late(recomputing));
  });

  it("writes on the model's device when another one has been opened since", async () => {
    const wanted = await cached(makeModel(), ["abc"]);
    const model = makeModel();
    using _other = await openDevice(); // the tests above want the first one, so this one comes last
    expect(await cached(model, ["abc"])).toEqual(wanted);
    expect(await recomputing(model, ["abc"])).toEqual(wanted);
  });

  it("tells how far the compiling of what takes a token is", async () => {
    using _own = await openDevice(); // on which nothing has run; the tests above want the first one
    const model = makeModel();
    prefer(model, endToken, -1000);
    const heard: string[] = [];
    await cached(model, ["abc"], { maxTokens: 4, onCompile: (done, total, what) => done === total && heard.push(what) });
    expect(heard).toEqual(["shaders", "kernels"]);
  });
});
