import { AdamW, type Device, openDevice, type StateDict, StepLR, tensor } from "@cursive/tensor";
import { epsilon, expectClose } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { coarseAugmentation } from "./data/augment.ts";
import { WordDataset } from "./data/dataset.ts";
import { makeWords } from "./data/make_words.ts";
import { StrokeTokenizer } from "./data/tokenizer.ts";
import { type StepReport, Trainer, type TrainOptions } from "./train.ts";
import { Transformer } from "./transformer.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

// Words of one to three letters in few tokens, so that most sequences end in padding.
const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const words = makeWords({ count: 60, characters: "abcdefghijklmnopqrstuvwxyz", letters: [1, 3] });
const [maxLength, contextLength] = [48, 4];
const dataset = new WordDataset(words, { tokenizer, numWords: 1, maxLength, contextLength, augment: coarseAugmentation });
const batchSize = 4;
const evaluation = { batches: 2, batchSize: 6 }; // more than a training step's, so that it is done in pieces

const makeModel = (seed: number): Transformer =>
  new Transformer(
    {
      nLayer: 1,
      nHead: 2,
      nEmbd: 16,
      blockSize: maxLength,
      contextBlockSize: contextLength,
      vocabSize: tokenizer.vocabSize,
      contextVocabSize: tokenizer.contextVocabSize,
    },
    { seed },
  );

/** A trainer whose rate halves every third step. */
const makeTrainer = ({ seed = 1, ...options }: TrainOptions & { seed?: number } = {}): Trainer =>
  new Trainer(makeModel(seed), {
    dataset,
    batchSize,
    schedule: { stepSize: 3, gamma: 0.5 },
    evaluation,
    ...options,
  });

async function runTo(trainer: Trainer, until: number): Promise<StepReport[]> {
  const reports: StepReport[] = [];
  for await (const report of trainer.run({ until })) reports.push(report);
  return reports;
}

const losses = (reports: StepReport[]): number[] => reports.map((r) => r.loss);
const stepsOf = (reports: StepReport[]): number[] => reports.map((r) => r.step);
const parametersOf = (trainer: Trainer): Promise<StateDict> => trainer.model.stateDict();

describe("Trainer", () => {
  it("learns: the loss falls by a third in sixty steps, on held-out words too", async () => {
    const trainer = makeTrainer({ schedule: { stepSize: 1000, gamma: 0.1 } });
    const before = await trainer.evaluate("test");
    const reports = losses(await runTo(trainer, 60));
    const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
    expect(mean(reports.slice(-5))).toBeLessThan((2 / 3) * reports[0]!);
    const after = await trainer.evaluate("test");
    expect(after.loss).toBeLessThan((2 / 3) * before.loss);
    expect(after.lossReal).toBeLessThan(before.lossReal);
  });

  it("reports every step once, in order, with the rate that it took", async () => {
    const trainer = makeTrainer({ lr: 0.02 });
    const reports = [...(await runTo(trainer, 5)), ...(await runTo(trainer, 5)), ...(await runTo(trainer, 8))];
    expect(stepsOf(reports)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(reports.map((r) => r.lr)).toEqual([0.02, 0.02, 0.02, 0.01, 0.01, 0.01, 0.005, 0.005]);
    expect(reports.every((r) => r.milliseconds > 0 && Number.isFinite(r.loss))).toBe(true);
    expect(trainer.step).toBe(8);
  });

  it("takes the very steps that an eager loop over the same batches takes", async () => {
    const model = makeModel(1);
    const optimizer = new AdamW(model.parameters(), { lr: 1e-2, weightDecay: 1e-4, betas: [0.9, 0.99], eps: 1e-8, maxGradNorm: 0.5 });
    const schedule = new StepLR(optimizer, { stepSize: 3, gamma: 0.5 });
    const eager: number[] = [];
    for (let step = 0; step < 7; step++) {
      const { tokens, targets, context } = dataset.batch({ step, batchSize, split: "train" });
      optimizer.zeroGrad();
      const { loss } = model.forward(
        tensor(tokens, { shape: [batchSize, maxLength] }),
        tensor(context, { shape: [batchSize, contextLength] }),
        tensor(targets, { shape: [batchSize, maxLength] }),
      );
      loss!.backward();
      optimizer.step();
      schedule.step();
      eager.push(await loss!.item());
    }
    const trainer = makeTrainer({ maxGradNorm: 0.5 });
    expect(losses(await runTo(trainer, 7))).toEqual(eager);
    expect(await parametersOf(trainer)).toEqual(await model.stateDict());
  });

  it("draws the next batch and reads the last loss while the GPU takes a step, so that neither holds it up", async () => {
    const trainer = makeTrainer();
    await trainer.prepare();
    const events: string[] = [];
    const drawBatch = dataset.batch.bind(dataset);
    const submitStep = device.submitStep.bind(device);
    const readStaging = device.readStaging.bind(device);
    vi.spyOn(dataset, "batch").mockImplementation((request) => {
      events.push(`draws batch ${request.step}`);
      return drawBatch(request);
    });
    vi.spyOn(device, "submitStep").mockImplementation((...step) => {
      events.push("submits a step");
      submitStep(...step);
    });
    vi.spyOn(device, "readStaging").mockImplementation((...result) => {
      events.push("reads a loss");
      return readStaging(...result);
    });
    try {
      await runTo(trainer, 4);
    } finally {
      vi.restoreAllMocks();
    }
    expect(events).toEqual([
      "draws batch 0",
      "submits a step",
      "draws batch 1", // while step 1 is under way
      "submits a step",
      "draws batch 2",
      "reads a loss", // of step 1, while step 2 is under way
      "submits a step",
      "draws batch 3",
      "reads a loss",
      "submits a step",
      "reads a loss",
      "reads a loss",
    ]);
  });

  it("stops when asked to, with all steps taken reported", async () => {
    const trainer = makeTrainer();
    const stop = new AbortController();
    const reports: StepReport[] = [];
    for await (const report of trainer.run({ until: 100, signal: stop.signal })) {
      reports.push(report);
      if (report.step === 3) stop.abort();
    }
    expect(stepsOf(reports)).toEqual(Array.from({ length: trainer.step }, (_, i) => i + 1));
    expect(trainer.step).toBeLessThan(6);
    const { step } = trainer;
    for await (const report of trainer.run({ until: 100, signal: stop.signal })) expect(report).toBeUndefined();
    expect(trainer.step).toBe(step);
  });

  it("goes on as if nothing had been when its loop is left", async () => {
    const straight = makeTrainer();
    const wanted = losses(await runTo(straight, 6));
    const trainer = makeTrainer();
    for await (const { step } of trainer.run({ until: 6 })) if (step === 2) break;
    const rest = await runTo(trainer, 6);
    expect(stepsOf(rest)).toEqual([4, 5, 6]);
    expect(losses(rest)).toEqual(wanted.slice(3));
    expect(await parametersOf(trainer)).toEqual(await parametersOf(straight));
  });

  it("continues from a state bit for bit, in another trainer or after a detour", async () => {
    const straight = makeTrainer();
    const wanted = losses(await runTo(straight, 8));
    const first = makeTrainer();
    await runTo(first, 4);
    const state = await first.state();
    expect(state.step).toBe(4);
    await runTo(first, 6);
    const second = makeTrainer({ seed: 2 });
    await runTo(second, 3);
    for (const resumed of [first, second]) {
      resumed.restore(state);
      const rest = await runTo(resumed, 8);
      expect(stepsOf(rest)).toEqual([5, 6, 7, 8]);
      expect(losses(rest)).toEqual(wanted.slice(4));
      expect(await resumed.state()).toEqual(await straight.state());
    }
  });

  it("takes another rate from the next step on, the same as one started with it would, and goes on with it", async () => {
    const trainer = makeTrainer({ lr: 0.02 });
    await runTo(trainer, 2);
    trainer.rateFactor = 0.25;
    const changed = await runTo(trainer, 5);
    expect(changed.map((r) => r.lr)).toEqual([0.005, 0.0025, 0.0025]); // the schedule's halving stays
    const state = await trainer.state();
    const resumed = makeTrainer({ lr: 0.02, seed: 2 });
    resumed.restore(state);
    expect(resumed.rateFactor).toBe(0.25);
    const rest = await runTo(resumed, 8);
    expect(rest.map((r) => r.lr)).toEqual([0.0025, 0.00125, 0.00125]);
    expect(losses(rest)).toEqual(losses(await runTo(trainer, 8)));

    const slow = makeTrainer({ lr: 0.005 });
    const fast = makeTrainer({ lr: 0.02 });
    fast.rateFactor = 0.25;
    expect(await runTo(fast, 4).then(losses)).toEqual(await runTo(slow, 4).then(losses));
    for (const factor of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => Object.assign(fast, { rateFactor: factor })).toThrow("Expected a factor of the rate of at least 0");
    }
    expect(fast.rateFactor).toBe(0.25);
  });

  it("refuses the state of another model, and changes nothing then", async () => {
    const trainer = makeTrainer();
    const state = await trainer.state();
    const model = new Map(state.model);
    model.delete("lm_head.weight");
    expect(() => trainer.restore({ ...state, step: 9, model })).toThrow("missing: lm_head.weight");
    expect(await trainer.state()).toEqual(state);
    await runTo(trainer, 1); // now the model differs from what the state has, and the moments from zero
    const now = await trainer.state();
    const moments = new Map(state.optimizer.moments);
    moments.delete([...moments.keys()].at(-1)!);
    expect(() => trainer.restore({ ...state, optimizer: { ...state.optimizer, moments } })).toThrow("Expected moment");
    expect(await trainer.state()).toEqual(now);
  });
});

describe("evaluation", () => {
  it("gives the same numbers every time, and leaves training as it is", async () => {
    const [plain, evaluated] = [makeTrainer(), makeTrainer()];
    const wanted = losses(await runTo(plain, 4));
    const found: number[] = [];
    for await (const { step, loss } of evaluated.run({ until: 4 })) {
      found.push(loss);
      if (step === 2) await evaluated.evaluate("train");
    }
    expect(found).toEqual(wanted);
    const test = await evaluated.evaluate("test");
    await evaluated.evaluate("train");
    expect(await evaluated.evaluate("test")).toEqual(test);
    expect(await plain.evaluate("test")).toEqual(test);
  });

  it("stops when asked to", async () => {
    const reason = new Error("enough");
    await expect(makeTrainer().evaluate("test", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it("counts padding in one loss and not in the other, as logits on the host say", async () => {
    const trainer = makeTrainer();
    await runTo(trainer, 3);
    const { vocabSize, padToken } = tokenizer;
    const [all, real]: [number[], number[]] = [[], []];
    for (let step = 0; step < evaluation.batches; step++) {
      const batch = dataset.batch({ step, batchSize: evaluation.batchSize, split: "test" });
      const sequences = tensor(batch.tokens, { shape: [evaluation.batchSize, maxLength] });
      const context = tensor(batch.context, { shape: [evaluation.batchSize, contextLength] });
      const logits = await trainer.model.forward(sequences, context).logits.data();
      for (const [i, target] of batch.targets.entries()) {
        const row = Array.from(logits.subarray(i * vocabSize, (i + 1) * vocabSize));
        const cost = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) - row[target]!;
        all.push(cost);
        if (target !== padToken) real.push(cost);
      }
    }
    const mean = (costs: number[]): number => costs.reduce((a, b) => a + b, 0) / costs.length;
    const wanted = [mean(all), mean(real)];
    expect(all.length - real.length).toBeGreaterThan(50);
    const { loss, lossReal } = await trainer.evaluate("test");
    // A cost is off by the roundings of log Σ exp over 171 logits, the mean of a piece by those of its additions.
    const bound = 2 * (vocabSize + batchSize * maxLength) * epsilon * Math.max(...all) + 2 ** -20;
    expect(Math.abs(wanted[0]! - wanted[1]!)).toBeGreaterThan(10 * bound);
    expectClose([loss, lossReal], wanted, bound);
  });
});

describe("a trainer on one of several devices", () => {
  it("works where its model is, not where tensors are made now, and says how the compilation there goes", async () => {
    const calls: [number, number][] = [];
    using own = await openDevice(); // on which nothing is compiled yet
    const trainer = makeTrainer({ onCompile: (done, total) => calls.push([done, total]) });
    using other = await openDevice();
    await runTo(trainer, 1);
    const [done, total] = calls.at(-1)!;
    expect(done).toBe(total);
    expect(total).toBeGreaterThan(10);
    expect(own.stats().pipelines).toBeGreaterThanOrEqual(total);
    const heard = calls.length;
    await trainer.evaluate("test");
    expect(calls.length).toBeGreaterThan(heard);
    expect(other.stats().dispatches).toBe(0);
  });
});
