import { fitText, StrokeTokenizer, Transformer } from "@cursive/cursive-model";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Interrupted, RunFailed } from "../errors.ts";
import { type WriteOptions, writeTexts } from "./write_texts.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

// Two directions and two lengths: so few tokens that END is drawn soon.
const tokenizer = new StrokeTokenizer({ alphabet: "ab ", bins: { theta: [-Math.PI, 0], radius: [0, 0.1] }, decode: "centre" });

function optionsFor(fields: Partial<WriteOptions> = {}): WriteOptions {
  const { vocabSize, contextVocabSize } = tokenizer;
  const model = new Transformer({ nLayer: 1, nHead: 1, nEmbd: 8, blockSize: 60, contextBlockSize: 6, vocabSize, contextVocabSize });
  return {
    found: { model, tokenizer, step: 0, path: "some.safetensors", run: undefined },
    ...{ temperature: 1, topK: null, seed: 1, samples: 1, maxTokens: 60, cache: true, warmUp: undefined },
    signal: new AbortController().signal,
    onProgress: () => {},
    ...fields,
  };
}

const texts = ["a", "b", "ab"].map((text) => fitText(text, tokenizer));

describe("writeTexts()", () => {
  it("gives each text's writings in order, each what the same text gets alone", async () => {
    const { writings, asked, tokensPerSecond } = await writeTexts(texts, optionsFor({ samples: 2 }));
    expect(writings.map(({ text, sample }) => [text, sample])).toEqual(texts.flatMap(({ text }) => [[text, 1], [text, 2]])); // biome-ignore format: pairs
    expect(asked).toBe(6);
    expect(tokensPerSecond).toBeGreaterThan(0);
    const alone = await writeTexts(texts.slice(2), optionsFor({ samples: 2 }));
    expect(alone.writings).toEqual(writings.slice(4));
  });

  it("leaves a warm-up's ink out: what follows begins at x = 0, and its tokens are counted by themselves", async () => {
    const tokens = tokenizer.encodeStrokes([[0, 0, 1], [0.3, 0, 1], [0.3, 0, 0], [0.5, 0, 0]]); // biome-ignore format: a line
    const { writings } = await writeTexts(texts, optionsFor({ warmUp: { text: "b", tokens: Int32Array.from(tokens) }, maxTokens: 30 }));
    for (const writing of writings) {
      expect(writing.tokens.length).toBeLessThanOrEqual(30);
      expect(writing.ended).toBe(writing.tokens.length < 30);
      const pairs = writing.segments.filter(({ malformed }) => !malformed);
      for (const { thetaIndex, radiusIndex } of pairs) expect(radiusIndex).toBe(thetaIndex! + 1);
      if (pairs.length > 0) expect(writing.segments[0]!.to[0]).toBe(0);
    }
    expect(writings.some(({ segments }) => segments.length > 1)).toBe(true);
  });

  it("takes END in the last place for no end, as training puts it there where it cuts", async () => {
    const options = optionsFor({ temperature: 0 });
    const { ln_f } = options.found.model.transformer;
    ln_f.weight.detach().fill(0);
    ln_f.bias.detach().fill(1);
    const bonus = (token: number, by: number) =>
      options.found.model.lm_head.weight.detach().narrow(0, { start: token, length: 1 }).fill(by);
    bonus(tokenizer.endToken, 10);
    expect((await writeTexts(texts, options)).writings.map(({ ended }) => ended)).toEqual([true, true, true]);
    const start = new Int32Array(59).fill(tokenizer.firstThetaToken);
    const { writings } = await writeTexts(texts, { ...options, warmUp: { text: "b", tokens: start } });
    expect(writings.map(({ ended, tokens }) => [ended, tokens.length])).toEqual([[false, 0], [false, 0], [false, 0]]); // biome-ignore format: pairs
  });

  it("keeps what is finished when it is interrupted", async () => {
    const controller = new AbortController();
    const reason = new Interrupted("enough", { exitCode: 130 });
    const onProgress = ({ finished }: { finished: number }): void => {
      if (finished > 0) controller.abort(reason);
    };
    const all = Array.from({ length: 10 }, () => texts).flat();
    const { writings, asked, interrupted } = await writeTexts(all, optionsFor({ signal: controller.signal, onProgress }));
    expect(interrupted).toBe(reason);
    expect(asked).toBe(30);
    expect(writings.length).toBeGreaterThan(0);
    expect(writings.length).toBeLessThan(30);
  });

  it("says that a model is broken, and which", async () => {
    const options = optionsFor();
    options.found.model.lm_head.weight.detach().fill(Number.NaN);
    const error = await writeTexts(texts, options).catch((e) => e);
    expect(error).toBeInstanceOf(RunFailed);
    expect(error.message).toMatch(/^some.safetensors: Expected finite logits but found NaN/);
  });
});
