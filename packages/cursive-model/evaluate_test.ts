import { type Device, openDevice, tensor } from "@cursive/tensor";
import { epsilon } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { coarseAugmentation } from "./data/augment.ts";
import { WordDataset, type WordDatasetOptions } from "./data/dataset.ts";
import { makeWords } from "./data/make_words.ts";
import type { StrokeBinsName } from "./data/stroke_bins.ts";
import { StrokeTokenizer } from "./data/tokenizer.ts";
import { evaluateModel, type ModelEvaluation } from "./evaluate.ts";
import type { LossMeasure } from "./losses/mean_loss.ts";
import { Trainer } from "./train.ts";
import { Transformer } from "./transformer.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const words = makeWords({ count: 40, characters: "aceinost", letters: [1, 3], spacing: 0.03 });

/** Two words an example; short enough that a few are cut. */
function makeDataset(bins: StrokeBinsName, options: Partial<WordDatasetOptions> = {}): WordDataset {
  const tokenizer = new StrokeTokenizer({ bins });
  return new WordDataset(words, { tokenizer, numWords: 2, maxLength: 96, contextLength: 8, augment: coarseAugmentation, ...options });
}

function makeModel({ tokenizer, maxLength, contextLength }: WordDataset): Transformer {
  const { vocabSize, contextVocabSize } = tokenizer;
  return new Transformer({
    nLayer: 1,
    nHead: 2,
    nEmbd: 16,
    blockSize: maxLength,
    contextBlockSize: contextLength,
    vocabSize,
    contextVocabSize,
  });
}

/** A little trained, so that losses differ. */
async function trained(dataset: WordDataset): Promise<Trainer> {
  const trainer = new Trainer(makeModel(dataset), { dataset, batchSize: 4, evaluation: { batches: 2, batchSize: 6 } });
  for await (const _ of trainer.run({ until: 10 }));
  return trainer;
}

const size = { batches: 2, batchSize: 6 };

/** Mean and count over several groups together. */
function together(groups: readonly LossMeasure[]): { loss: number; count: number } {
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  return { loss: groups.reduce((sum, group) => sum + group.loss * group.count, 0) / count, count };
}

function expectSame(found: { loss: number; count: number }, wanted: { loss: number; count: number }): void {
  expect(found.count).toBe(wanted.count);
  expect(found.loss).toBeCloseTo(wanted.loss, 12); // float64 sums in another order
}

describe("evaluateModel", () => {
  it("has the very losses that training logs, and the same bits however the batches are split", async () => {
    for (const bins of ["polar-73", "polar-220-word"] as const) {
      const dataset = makeDataset(bins);
      const trainer = await trained(dataset);
      for (const split of ["test", "train"] as const) {
        const logged = await trainer.evaluate(split);
        const found: ModelEvaluation[] = [];
        for (const pieceSize of [1, 4, 5, 100]) found.push(await evaluateModel(trainer.model, { dataset, split, ...size, pieceSize }));
        expect([found[0]!.all.loss, found[0]!.real.loss]).toEqual([logged.loss, logged.lossReal]);
        for (const other of found.slice(1)) expect(other).toEqual(found[0]);
      }
    }
  });

  it("agrees with logits on the host, with the text and without", async () => {
    const dataset = makeDataset("polar-73");
    const { model } = await trained(dataset);
    const found = await evaluateModel(model, { dataset, ...size });
    const { vocabSize, padToken } = dataset.tokenizer;
    for (const [measures, ablateCrossAttention] of [
      [found, false],
      [found.ablated!, true],
    ] as const) {
      const real: number[] = [];
      let hits = 0;
      for (let step = 0; step < size.batches; step++) {
        const batch = dataset.batch({ step, batchSize: size.batchSize, split: "test" });
        const tokens = tensor(batch.tokens, { shape: [size.batchSize, dataset.maxLength] });
        const context = tensor(batch.context, { shape: [size.batchSize, dataset.contextLength] });
        const logits = await model.forward(tokens, context, null, { ablateCrossAttention }).logits.data();
        for (const [i, target] of batch.targets.entries()) {
          if (target === padToken) continue;
          const row = Array.from(logits.subarray(i * vocabSize, (i + 1) * vocabSize));
          real.push(Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) - row[target]!);
          if (row.indexOf(Math.max(...row)) === target) hits++;
        }
      }
      expect([measures.real.count, measures.real.accuracy]).toEqual([real.length, hits / real.length]);
      const bound = 2 * vocabSize * epsilon * Math.max(...real); // of log Σ exp over the vocabulary in f32
      expect(Math.abs(measures.real.loss - real.reduce((a, b) => a + b, 0) / real.length)).toBeLessThan(bound);
    }
    const { real, ablated } = found;
    expect(ablated!.rise.loss).toBeCloseTo(ablated!.real.loss - real.loss, 12);
    expect(ablated!.rise.loss).not.toBe(0);
    // The same sequences with and without: their difference varies less than two measurements of them would.
    expect(ablated!.rise.standardError).toBeLessThan(Math.hypot(ablated!.real.standardError, real.standardError));
  });

  it("takes all targets apart by class, place, word length and character, without losing or repeating one", async () => {
    for (const bins of ["polar-151", "polar-220-word"] as const) {
      const dataset = makeDataset(bins);
      const found = await evaluateModel(makeModel(dataset), { dataset, ...size, ablation: false });
      const { byClass, byPosition, byWordLength, byCharacter, all, real, sequences, cut } = found;
      const classes = new Map(byClass.map((group) => [group.class, group]));
      expectSame(together(byClass), all);
      expectSame(together(byClass.filter((group) => group.class !== "pad")), real);
      expectSame(together(byPosition), real);
      expect(all.count).toBe(sequences * dataset.maxLength);
      expect([classes.get("end")!.count, classes.get("endAgain")!.count]).toEqual([sequences, sequences]);
      expect(classes.has("word")).toBe(bins === "polar-220-word");
      expect(byPosition.map(({ from, to }) => [from, to])).toEqual(
        Array.from({ length: byPosition.length }, (_, i) => [12 * i, 12 * i + 12]),
      );
      // Ink of words is everything but the gaps between, which are a pair of WORD or a movement with the pen up.
      const ink = together(byClass.filter((group) => ["theta", "penDown", "penUp"].includes(group.class)));
      const inWords = together(byWordLength);
      const written = byWordLength.reduce((sum, group) => sum + group.words, 0);
      if (bins === "polar-220-word") expectSame(inWords, ink);
      else expect(ink.count - inWords.count).toBeGreaterThanOrEqual(2 * (written - sequences));
      expect(written).toBeLessThanOrEqual(2 * sequences);
      expect(written).toBeGreaterThan(sequences);
      expect(cut).toBeGreaterThan(0);
      for (const { words: count } of byCharacter) expect(count).toBeLessThanOrEqual(written);
    }
  });

  it("gives a character the words that contain it, all of their ink and nothing else", async () => {
    const dataset = makeDataset("polar-73", { numWords: 1 });
    const model = makeModel(dataset);
    const found = await evaluateModel(model, { dataset, batches: 1, batchSize: 12, ablation: false });
    const { texts, lengths } = dataset.batch({ step: 0, batchSize: 12, split: "test" });
    for (const { character, words: count, count: targets } of found.byCharacter) {
      const rows = texts.flatMap((text, row) => (text.includes(character) ? [row] : []));
      expect(count).toBe(rows.length);
      expect(targets).toBe(rows.reduce((sum, row) => sum + Math.min(lengths[row]!, dataset.maxLength - 1) - 1, 0)); // the first is no target
    }
    expect(found.byCharacter.map(({ character }) => character).sort()).toEqual([...new Set(texts.join(""))].sort());
    expect(found.byWordLength.map(({ characters }) => characters)).toEqual([...new Set(texts.map((text) => text.length))].sort());
  });

  it("stops when asked to, and tells how far it is", async () => {
    const dataset = makeDataset("polar-73");
    const stop = new AbortController();
    const reason = new Error("enough");
    const done: number[] = [];
    const onSequence = (count: number, total: number): void => {
      expect(total).toBe(12);
      done.push(count);
      if (count === 4) stop.abort(reason);
    };
    await expect(evaluateModel(makeModel(dataset), { dataset, ...size, pieceSize: 2, signal: stop.signal, onSequence })).rejects.toBe(
      reason,
    );
    expect(done).toEqual([1, 2, 3, 4]);
  });

  it("refuses a dataset that is not the model's, and sizes of nothing", async () => {
    const dataset = makeDataset("polar-73");
    const model = makeModel(dataset);
    await expect(evaluateModel(model, { dataset: makeDataset("polar-151") })).rejects.toThrow(
      "Expected a dataset of the model's 171 tokens and 72 characters but found 455 and 72",
    );
    await expect(evaluateModel(model, { dataset: makeDataset("polar-73", { maxLength: 97 }) })).rejects.toThrow(
      "Expected at most 96 tokens and 8 characters but found 97 and 8",
    );
    await expect(evaluateModel(model, { dataset, batches: 0 })).rejects.toThrow("Expected batches to be a whole number from 1 but found 0");
  });
});
