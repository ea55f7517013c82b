import { crossEntropy, noGrad, openDevice, tensor } from "@cursive/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { coarseAugmentation } from "./data/augment.ts";
import { WordDataset } from "./data/dataset.ts";
import { makeWords } from "./data/make_words.ts";
import { StrokeTokenizer } from "./data/tokenizer.ts";
import { type StepReport, Trainer, type TrainOptions } from "./train.ts";
import { Transformer } from "./transformer.ts";

beforeAll(async () => {
  await openDevice();
});

const words = makeWords({ count: 60, characters: "aeinst", letters: [2, 3] });
const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const dataset = new WordDataset(words, { tokenizer, numWords: 1, maxLength: 48, contextLength: 4, augment: coarseAugmentation });

function setUp(options: TrainOptions = {}): Trainer {
  const { vocabSize, contextVocabSize } = tokenizer;
  const sizes = { nLayer: 1, nHead: 2, nEmbd: 16, blockSize: 48, contextBlockSize: 4 };
  const model = new Transformer({ ...sizes, vocabSize, contextVocabSize }, { seed: 1 });
  const evaluation = { batches: 2, batchSize: 6 };
  return new Trainer(model, { batchSize: 4, lr: 5e-3, schedule: { stepSize: 5, gamma: 0.5 }, evaluation, dataset, ...options });
}

async function reports(trainer: Trainer, options: { until: number; signal?: AbortSignal }): Promise<StepReport[]> {
  const all: StepReport[] = [];
  for await (const report of trainer.run(options)) all.push(report);
  return all;
}

describe("Trainer", () => {
  it("reports every step once and in order, with the schedule's rate, while the loss falls", async () => {
    const trainer = setUp({ lr: 0.02, schedule: { stepSize: 20, gamma: 0.5 } });
    const all = [...(await reports(trainer, { until: 7 })), ...(await reports(trainer, { until: 40 }))];
    expect(all.map((r) => r.step)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect([all[0]!.lr, all[19]!.lr, all[20]!.lr]).toEqual([0.02, 0.02, 0.01]);
    const mean = (part: StepReport[]): number => part.reduce((sum, r) => sum + r.loss, 0) / part.length;
    expect(mean(all.slice(-5))).toBeLessThan(0.8 * mean(all.slice(0, 5)));
    expect(await reports(trainer, { until: 40 })).toEqual([]);
  });

  it("stops when asked to, and has reported every step that it took", async () => {
    const trainer = setUp();
    const controller = new AbortController();
    const steps: number[] = [];
    for await (const { step } of trainer.run({ until: 100, signal: controller.signal })) {
      steps.push(step);
      if (step === 3) controller.abort();
    }
    expect(steps).toEqual(Array.from({ length: trainer.step }, (_, i) => i + 1));
    expect(trainer.step).toBeLessThan(6);
  });

  it("goes on from a state bit for bit, evaluations in between or not", async () => {
    const straight = setUp();
    const wanted = await reports(straight, { until: 12 });
    const first = setUp();
    const before = await reports(first, { until: 5 });
    await first.evaluate("test");
    const resumed = setUp();
    resumed.restore(await first.state());
    const after = await reports(resumed, { until: 12 });
    expect([...before, ...after].map((r) => [r.step, r.loss, r.lr])).toEqual(wanted.map((r) => [r.step, r.loss, r.lr]));
    const [found, exact] = [await resumed.model.stateDict(), await straight.model.stateDict()];
    for (const [name, { data }] of exact) expect(found.get(name)!.data, name).toEqual(data);
  });

  it("trains as an eager loop over the same batches does", async () => {
    const captured = setUp({ maxGradNorm: 0.5 });
    const losses = (await reports(captured, { until: 3 })).map((r) => r.loss);
    const { model, optimizer } = setUp({ maxGradNorm: 0.5 });
    for (const [step, wanted] of losses.entries()) {
      const batch = dataset.batch({ step, batchSize: 4, split: "train" });
      const [tokens, targets] = [batch.tokens, batch.targets].map((data) => tensor(data, { shape: [4, 48] }));
      optimizer.zeroGrad();
      const { loss } = model.forward(tokens!, tensor(batch.context, { shape: [4, 4] }), targets!);
      loss!.backward();
      optimizer.step();
      expect(await loss!.item()).toBe(wanted);
    }
  });

  it("evaluates alike each time, by the mean over all targets and over those that are not padding", async () => {
    const trainer = setUp();
    const found = await trainer.evaluate("test");
    expect(await trainer.evaluate("test")).toEqual(found);
    const sums = { all: 0, count: 0, real: 0, realCount: 0 };
    for (const step of [0, 1]) {
      const batch = dataset.batch({ step, batchSize: 6, split: "test" });
      const each = await noGrad(() => {
        const { logits } = trainer.model.forward(tensor(batch.tokens, { shape: [6, 48] }), tensor(batch.context, { shape: [6, 4] }));
        return crossEntropy(logits, tensor(batch.targets, { shape: [6, 48] }), { reduction: "none" }).data();
      });
      for (const [i, target] of batch.targets.entries()) {
        sums.all += each[i]!;
        sums.count++;
        if (target === tokenizer.padToken) continue;
        sums.real += each[i]!;
        sums.realCount++;
      }
    }
    expect(sums.realCount).toBeLessThan(sums.count);
    expect(found.loss).toBeCloseTo(sums.all / sums.count, 4);
    expect(found.lossReal).toBeCloseTo(sums.real / sums.realCount, 4);
  });

  it("refuses a state of another model and changes nothing", async () => {
    const trainer = setUp();
    const state = await trainer.state();
    const wrong = new Map(state.model);
    wrong.delete("lm_head.weight");
    expect(() => trainer.restore({ ...state, step: 9, model: wrong })).toThrow("missing: lm_head.weight");
    expect(trainer.step).toBe(0);
  });
});
