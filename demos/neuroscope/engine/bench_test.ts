import { readFileSync } from "node:fs";
import { generate } from "@cursive/cursive-model";
import { readSafetensors, writeSafetensors } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Bench, type OpenedModel } from "./bench.ts";
import { ForeignFileError, readModelFile } from "./model_file.ts";
import { openingRequest } from "./opening.ts";
import { type DrawnToken, type WriteRequest, warmUp, writeWords } from "./write.ts";

const bytes = new Uint8Array(readFileSync(new URL("../assets/model.safetensors", import.meta.url)));
let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open({ model: { name: "model", bytes } });
});
afterAll(() => bench.device.destroy());

const request: WriteRequest = { ...openingRequest, words: [{ text: "pen", seed: 3, copy: 0 }, { text: "ink", seed: 4, copy: 1 }], keepLogits: true }; // biome-ignore format: a line
const silent = { report: () => {}, signal: new AbortController().signal };

describe("the shipped model", () => {
  it("is small, says what it can write, and holds no moments", () => {
    expect(bytes.length).toBeLessThan(2_000_000);
    expect(bench.modelFacts).toMatchObject({ characters: "abcdefghijklmnopqrstuvwxyz", longestWord: 8 });
    expect([...readSafetensors(bytes).tensors.keys()].some((name) => name.startsWith("optimizer."))).toBe(false);
  });

  it("comes to the end of the words that the page opens with", async () => {
    const { words } = await writeWords(bench, openingRequest, silent);
    expect(words.map(({ ended }) => ended)).toEqual([true, true, true]);
  });
});

describe("readModelFile()", () => {
  it("refuses what is no model of ours, with the reason", async () => {
    const { tensors, metadata } = readSafetensors(bytes);
    const foreign: [Uint8Array, RegExp][] = [
      [new TextEncoder().encode("not a file of tensors at all"), /Expected a safetensors file but found/],
      [writeSafetensors(tensors, { metadata: {} }), /a safetensors file of another program/],
      [writeSafetensors(new Map(), { metadata: { format: "cursive-sae" } }), /but found an autoencoder, which has a button of its own/],
      [writeSafetensors(tensors, { metadata: { ...metadata, step: "9" } }), /it is damaged/],
      [writeSafetensors(tensors, { metadata: { format: "cursive-model", config: "{" } }), /a model's configuration/],
    ];
    for (const [file, reason] of foreign) {
      await expect(readModelFile(file, "file")).rejects.toThrow(reason);
      await expect(bench.loadModel({ name: "file", bytes: file })).rejects.toThrow(ForeignFileError);
    }
    expect(bench.modelFacts.parameters).toBeGreaterThan(200_000);
  });

  it("refuses weights of other sizes than the configuration's, and numbers that are none", async () => {
    const { tensors, metadata } = readSafetensors(bytes);
    const { sha256: _, ...about } = metadata;
    const config = JSON.stringify({ ...JSON.parse(about.config!), nLayer: 2 });
    await expect(bench.loadModel({ name: "file", bytes: writeSafetensors(tensors, { metadata: { ...about, config } }) })).rejects.toThrow(
      /the parameters of the file's configuration/,
    );
    const broken = new Map(tensors);
    const [name, first] = [...tensors][0]!;
    broken.set(name, { ...first, data: Float32Array.from(first.data, () => Number.NaN) });
    await expect(readModelFile(writeSafetensors(broken, { metadata: about }), "file")).rejects.toThrow(
      `Expected finite numbers in ${name}`,
    );
  });

  it("reads a run's whole checkpoint without its moments", async () => {
    const { tensors, metadata } = readSafetensors(bytes);
    const { sha256: _, name: __, ...about } = metadata;
    const whole = new Map([...tensors].map(([key, tensor]) => [`model.${key}`, tensor]));
    whole.set("optimizer.exp_avg", { shape: [1], dtype: "f32", data: Float32Array.of(1) });
    const file = await readModelFile(writeSafetensors(whole, { metadata: { ...about, format: "cursive-run" } }), "last");
    expect([file.name, [...file.state.keys()].sort()]).toEqual(["last", [...tensors.keys()].sort()]);
  });
});

describe("Bench", () => {
  const sae = new Uint8Array(readFileSync(new URL("../assets/sae.safetensors", import.meta.url)));

  it("keeps model and autoencoder where another model turns out not to work", async () => {
    await bench.loadSae({ name: "sae", bytes: sae });
    const { model, modelFacts, saeFacts } = bench;
    const { tensors, metadata } = readSafetensors(bytes);
    const { sha256: _, ...about } = metadata;
    const other = { name: "other", bytes: writeSafetensors(tensors, { metadata: { ...about, name: "other" } }) };
    const tryOut = async (opened: OpenedModel): Promise<void> => {
      expect(opened.modelFacts.name).toBe("other");
      await warmUp(opened);
      throw new Error("out of memory");
    };
    await expect(bench.loadModel(other, { tryOut })).rejects.toThrow("out of memory");
    expect([bench.model, bench.modelFacts, bench.saeFacts]).toEqual([model, modelFacts, saeFacts]);
    await bench.loadModel(other);
    expect([bench.modelFacts.name, bench.saeFacts]).toEqual(["other", undefined]);
    await bench.loadModel({ name: "model", bytes });
  });

  it("tells files apart that say the same of themselves, and knows a file again", async () => {
    const { tensors, metadata } = readSafetensors(bytes);
    const { sha256: _, ...about } = metadata;
    const [name, first] = [...tensors][0]!;
    const changed = new Map([...tensors, [name, { ...first, data: Float32Array.from(first.data, (value) => value + 1) }]]);
    const one = await readModelFile(writeSafetensors(tensors, { metadata: about }), "best");
    const other = await readModelFile(writeSafetensors(changed, { metadata: about }), "best");
    expect([other.name, other.step]).toEqual([one.name, one.step]);
    expect(other.id).not.toBe(one.id);
    expect((await readModelFile(writeSafetensors(tensors, { metadata: about }), "last")).id).toBe(one.id);
    const { id } = await bench.loadSae({ name: "sae", bytes: sae });
    expect((await bench.loadSae({ name: "again", bytes: sae })).id).toBe(id);
  });
});

describe("writeWords()", () => {
  it("writes a word alike whatever stands beside it, as the command line does", async () => {
    const { words } = await writeWords(bench, request, silent);
    const alone = await writeWords(bench, { ...request, words: request.words.slice(1) }, silent);
    expect(alone.words[0]).toEqual(words[1]);
    const { temperature, topK } = request;
    const [sampled] = await generate(bench.model, { tokenizer: bench.tokenizer, texts: ["pen"], temperature, topK, seed: 3 });
    expect(words[0]!.tokens).toEqual(sampled);
  });

  it("sends every token with the logits that it was drawn from", async () => {
    const sent: DrawnToken[] = [];
    const { words } = await writeWords(bench, { ...request, temperature: 0 }, { ...silent, report: (step) => sent.push(...step) });
    const { endToken, vocabSize } = bench.tokenizer;
    for (const [i, { tokens }] of words.entries()) {
      const own = sent.filter(({ word }) => word === i);
      expect(own.map(({ token }) => token)).toEqual([...tokens.subarray(2), endToken]);
      for (const { token, logits } of own) {
        expect(logits).toHaveLength(vocabSize);
        expect(logits![token]).toBe(Math.max(...logits!));
      }
    }
  });

  it("writes other ink without the text, the same for all texts", async () => {
    const seen = await writeWords(bench, { ...request, temperature: 0 }, silent);
    const { words } = await writeWords(bench, { ...request, temperature: 0, withoutText: true }, silent);
    expect(words[0]!.tokens).toEqual(words[1]!.tokens);
    expect(words[0]!.tokens).not.toEqual(seen.words[0]!.tokens);
  });

  it("goes on from ink that it is given", async () => {
    const { words } = await writeWords(bench, { ...request, temperature: 0 }, silent);
    const start = [...words[0]!.tokens.subarray(0, 20)];
    const on = await writeWords(bench, { ...request, words: request.words.slice(0, 1), temperature: 0, start }, silent);
    expect(on.words[0]).toEqual(words[0]);
  });

  it("stops when it is asked to", async () => {
    const controller = new AbortController();
    const reason = new DOMException("enough", "AbortError");
    const stopping = { report: () => controller.abort(reason), signal: controller.signal };
    await expect(writeWords(bench, request, stopping)).rejects.toBe(reason);
  });
});
