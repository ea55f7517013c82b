import { coarseAugmentation, makeWords, StrokeTokenizer, Trainer, Transformer, WordDataset, writeWordBank } from "@cursive/cursive-model";
import { readSae } from "@cursive/sae";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeModel } from "../../../packages/cli/run/load_model.ts";
import { littleModel, littleSae, twentyStepsConfig } from "../testing/little_runs.ts";
import { openModelFile, readModelFile } from "./model_file.ts";
import { readRunFile } from "./train_file.ts";
import { resumeSession, startSession, type TrainSession } from "./train_session.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const signal = new AbortController().signal;
async function runTo(session: TrainSession, until: number): Promise<void> {
  for await (const _ of session.run({ until, signal })) expect(session.step).toBeGreaterThan(0);
}
/** The curves without wall times. */
function curves({ history }: TrainSession, from = 0): number[][] {
  const time = history.columns.indexOf("milliseconds");
  return history.since(from).map((row) => row.toSpliced(time, 1));
}
const reopened = async (bytes: Uint8Array<ArrayBuffer>): Promise<TrainSession> => resumeSession(await readRunFile(bytes));

describe("a model's session", () => {
  it("goes on from its file bit for bit, with what was tuned, drawn and measured", async () => {
    const straight = await startSession(littleModel, {});
    await runTo(straight, 3);
    straight.tune({ rateFactor: 0.5, sparsityFactor: 1 });
    await straight.look({});
    await runTo(straight, 5);
    const saved = await straight.save();
    await runTo(straight, 8);
    const resumed = await reopened(saved);
    expect([resumed.step, resumed.tuning.rateFactor, resumed.history.length]).toEqual([5, 0.5, 5]);
    await runTo(resumed, 8);
    expect(curves(resumed)).toEqual(curves(straight));
    expect(await resumed.look({})).toEqual(await straight.look({}));
    expect(await resumed.exportWeights()).toEqual(await straight.exportWeights());
    const [step, loss, heldOut, heldOutInk, lr] = resumed.history.since(7)[0]!;
    expect([step, lr]).toEqual([8, Math.fround(littleModel.training.lr / 2)]);
    expect(loss).toBeGreaterThan(1);
    expect(heldOutInk).toBeGreaterThan(1);
    // Of all targets, as the training's: padding, which is soon foretold, makes it the lower one.
    expect(heldOut).toBeGreaterThan(0);
    expect(heldOut).not.toBe(heldOutInk);
  });

  it("trains what the packages train by themselves", async () => {
    const { words, data, model: sizes, training, seed } = twentyStepsConfig;
    const session = await startSession(twentyStepsConfig, {});
    await runTo(session, 20);
    const tokenizer = new StrokeTokenizer({ bins: data.bins, decode: "centre" });
    const dataset = new WordDataset(makeWords({ ...words, seed }), { tokenizer, seed, augment: coarseAugmentation, ...data });
    const model = new Transformer(
      {
        ...sizes,
        blockSize: data.maxLength,
        contextBlockSize: data.contextLength,
        vocabSize: tokenizer.vocabSize,
        contextVocabSize: tokenizer.contextVocabSize,
      },
      { seed },
    );
    const losses: number[] = [];
    for await (const { loss } of new Trainer(model, { ...training, dataset }).run({ until: 20 })) losses.push(loss);
    expect(session.history.since(0).map(([, loss]) => loss)).toEqual(losses);
  });

  it("saves files that the command line and the other pages open", async () => {
    const session = await startSession(littleModel, {});
    await runTo(session, 2);
    for (const bytes of [await session.save(), await session.exportWeights()]) {
      const [here, there] = [openModelFile(await readModelFile(bytes, "file")), decodeModel(bytes)];
      expect(there.step).toBe(2);
      expect(await here.stateDict()).toEqual(await there.model.stateDict());
    }
    const { characters, longestWord, name } = await readModelFile(await session.exportWeights(), "file");
    expect([characters, longestWord, name]).toEqual(["abc", 2, "quick, trained in this tab"]);
  });

  it("trains on a bank, carries it in its file, and says what it leaves out", async () => {
    const words = makeWords({ count: 40, characters: "abc", letters: [1, 2], seed: 5 });
    const bank = writeWordBank([...words, { ...words[0]!, text: "ø" }]) as Uint8Array<ArrayBuffer>;
    const config = { ...littleModel, words: { ...littleModel.words, source: "bank", name: "mine.json" } } as const;
    const session = await startSession(config, { bank });
    expect(session.lines.join()).toContain("1 of the bank left out");
    await runTo(session, 1);
    const resumed = await reopened(await session.save());
    await runTo(session, 2);
    await runTo(resumed, 2);
    expect(curves(resumed)).toEqual(curves(session));
    await expect(startSession(config, {})).rejects.toThrow("Expected a word bank but found none");
  });

  it("refuses files that are no runs, or damaged, with the reason", async () => {
    const session = await startSession(littleModel, {});
    const saved = await session.save();
    const damaged = saved.slice();
    damaged[damaged.length - 3]! ^= 1;
    await expect(reopened(damaged)).rejects.toThrow("it is damaged");
    await expect(reopened(await session.exportWeights())).rejects.toThrow("found a trained model: it is opened from the menu at the top");
    await expect(reopened(new Uint8Array(20))).rejects.toThrow("Expected a safetensors file but found");
  });
});

describe("an autoencoder's session", () => {
  it.each(["default", "notebook"] as const)(
    "goes on from its file bit for bit, the model and the mixed rows included: %s",
    async (preset) => {
      const model = await (await startSession(littleModel, {})).exportWeights();
      const config = littleSae(preset);
      const straight = await startSession(config, { model });
      await runTo(straight, 3);
      straight.tune({ rateFactor: 0.5, sparsityFactor: 0.25 });
      const saved = await straight.save();
      await runTo(straight, 6);
      const resumed = await reopened(saved);
      expect([resumed.step, resumed.tuning]).toEqual([3, { rateFactor: 0.5, sparsityFactor: 0.25 }]);
      await runTo(resumed, 6);
      expect(curves(resumed)).toEqual(curves(straight));
      expect(await resumed.exportWeights()).toEqual(await straight.exportWeights());
      expect(await resumed.look({ feature: 3 })).toEqual(await straight.look({ feature: 3 }));
      const { sae, about } = readSae(await resumed.exportWeights());
      expect([sae.config.dIn, about.hookSite, about.tokensTrained]).toEqual([16, "blocks.0.hook_mlp_out", 6 * resumed.tokensPerStep]);
      for (const session of [straight, resumed]) session.close();
    },
  );

  it("shows where features fire on held-out ink, as the exported autoencoder computes it", async () => {
    const model = await (await startSession(littleModel, {})).exportWeights();
    const session = await startSession(littleSae("default"), { model });
    await runTo(session, 4);
    const look = await session.look({});
    if (look.kind !== "sae") throw new Error("Expected a look at features");
    expect(look.density).toHaveLength(32);
    expect(Math.max(...look.density)).toBeGreaterThan(0);
    expect(look.density.every((share) => share >= 0 && share <= 1)).toBe(true);
    const { feature } = look;
    const most = feature.inks.map(({ segments }) => Math.max(...segments.map(([, , , , value]) => value)));
    expect(most).toEqual(most.toSorted((a, b) => b - a));
    expect(most[0]).toBeCloseTo(feature.max, 5);
    // The same through the file: the model reads the ink, the exported weights encode.
    const { sae } = readSae(await session.exportWeights());
    const file = await readModelFile(model, "model");
    const own = openModelFile(file);
    const { text, tokens, values } = feature.inks[0]!;
    const context = new StrokeTokenizer(file.tokenizer).encodeText(text, { length: file.config.contextBlockSize });
    const { cache } = own.runWithCache(
      { shape: [1, tokens.length], dtype: "i32", data: Int32Array.from(tokens) },
      { shape: [1, context.length], dtype: "i32", data: context },
      { namesFilter: "blocks.0.hook_mlp_out", removeBatchDim: true },
    );
    const features = await sae.encode(cache.get("blocks.0.hook_mlp_out")).data();
    for (const [t, value] of values.entries()) expect(features[t * 32 + feature.index]!).toBeCloseTo(value, 4);
    session.close();
  });

  it("wants a model, and a site of it", async () => {
    const model = await (await startSession(littleModel, {})).exportWeights();
    await expect(startSession(littleSae("default"), {})).rejects.toThrow("Expected a model whose activations");
    await expect(startSession({ ...littleSae("default"), site: "blocks.7.hook_mlp_out" }, { model })).rejects.toThrow("blocks.7");
  });
});
