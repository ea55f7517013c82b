import { type Device, type HostTensor, openDevice, type StateDict, tensor } from "@cursive/tensor";
import { epsilon, expectClose, seededValues } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae, type SaeConfig } from "../create_sae.ts";
import { ArrayStream } from "../data/array_stream.ts";
import { MixingBuffer } from "../data/mixing_buffer.ts";
import { SiteStreams } from "../data/site_streams.ts";
import type { ActivationStream, SiteBatch } from "../data/stream_batch.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { partOf, readSnapshot, type Snapshot, writeSnapshot } from "../snapshot.ts";
import { sparseDictionary } from "../testing/sparse_dictionary.ts";
import type { SaeTrainOptions } from "./options.ts";
import { SaeAdam } from "./sae_adam.ts";
import { type SaeStepReport, SaeTrainer } from "./trainer.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const sizes = { dIn: 16, dSae: 40 };
const batchRows = 96;
type Variant = SaeConfig extends infer C ? (C extends SaeConfig ? Omit<C, "dIn" | "dSae"> : never) : never;
const variants: readonly Variant[] = [
  { architecture: "standard", l1Coefficient: 0.3 },
  { architecture: "standard", l1Coefficient: 3e-4, l1Reduction: "sum", decoderConstraint: "none", init: "kaiming" },
  { architecture: "topk", k: 3 },
  { architecture: "batchtopk", k: 3, selectionRows: 32 },
  { architecture: "jumprelu", l0Coefficient: 0.3 },
  { architecture: "jumprelu", sparsity: "step", l0Coefficient: 0.3, decoderConstraint: "unit-norm" },
  { architecture: "gated", l1Coefficient: 0.3 },
  { architecture: "matryoshka", k: 3, selectionRows: 32 },
];

const make = (variant: Variant, seed = 0): SparseAutoencoder => createSae({ ...variant, ...sizes, seed } as SaeConfig);
const rows = (): AsyncGenerator<HostTensor> => sparseDictionary({ count: 24, width: sizes.dIn, active: 2, seed: 5 }).batches(batchRows);

function trainerOf(sae: SparseAutoencoder, options: Partial<SaeTrainOptions> & { stream?: ActivationStream } = {}): SaeTrainer {
  return new SaeTrainer(sae, { stream: rows(), totalSteps: 30, ...options });
}

async function runTo(trainer: SaeTrainer, until: number): Promise<SaeStepReport[]> {
  const reports: SaeStepReport[] = [];
  for await (const report of trainer.run({ until })) reports.push(report);
  return reports;
}

const numbers: HostTensor = { shape: [40, sizes.dIn], dtype: "f32", data: Float32Array.from(seededValues(1, [40, sizes.dIn]).data) };

const bits = (state: Snapshot): string[] => [...state.tensors].map(([name, { data }]) => `${name} ${Array.from(data).join()}`).sort();
const normsOf = async (sae: SparseAutoencoder): Promise<number[]> => Array.from(await sae.decoderNorms().data());

describe("SaeAdam", () => {
  it.each(variants)("keeps decoder rows at norm 1 after every step under the constraint, and only then: $architecture", async (variant) => {
    const sae = make(variant);
    const trainer = trainerOf(sae, { lr: 0.03, maxGradNorm: 1 });
    for await (const { step } of trainer.run({ until: 4 })) expect(step).toBeGreaterThan(0);
    const norms = await normsOf(sae);
    const off = Math.max(...norms.map((n) => Math.abs(n - 1)));
    // The division rounds each of 16 numbers once, norm and reciprocal a few times more.
    if (sae.config.decoderConstraint === "unit-norm") expect(off).toBeLessThan(2 * (16 + 8) * epsilon);
    else expect(off).toBeGreaterThan(1e-3);
  });

  it("takes the gradient's part along each decoder row out", async () => {
    const sae = make({ architecture: "standard", decoderConstraint: "none", decoderInitNorm: 0.7 });
    sae.forward(tensor(Float32Array.from(seededValues(1, [50, 16]).data), { shape: [50, 16] })).loss.backward();
    sae.projectDecoderGradient();
    const [gradient, weights] = [await sae.W_dec.grad!.data(), await sae.W_dec.data()] as [Float32Array, Float32Array];
    for (let f = 0; f < sizes.dSae; f++) {
      const [g, w] = [gradient.slice(16 * f, 16 * f + 16), weights.slice(16 * f, 16 * f + 16)];
      const along = g.reduce((sum, v, d) => sum + v * w[d]!, 0);
      expect(Math.abs(along)).toBeLessThan(1e-5 * Math.hypot(...g) + 1e-7);
      expect(Math.hypot(...g)).toBeGreaterThan(0);
    }
  });

  it("forgets the moments of the latents it is told to, and of no others", async () => {
    const sae = make({ architecture: "jumprelu", l0Coefficient: 0.3 });
    const optimizer = new SaeAdam(sae, { lr: 1e-3 });
    sae.forward(tensor(Float32Array.from(seededValues(1, [50, 16]).data), { shape: [50, 16] })).loss.backward();
    optimizer.step();
    const before = await optimizer.stateDict();
    const flags = Uint8Array.from({ length: sizes.dSae }, (_, f) => Number(f === 3 || f === 7));
    optimizer.resetLatents(tensor(flags));
    const after = await optimizer.stateDict();
    const names = [...sae.namedParameters()].map(([name]) => name);
    for (const [key, { data, shape }] of after.moments) {
      const name = names[Number(key.split(".")[1])]!;
      const latentOf = (i: number): number => (name === "W_enc" ? i % sizes.dSae : name === "W_dec" ? Math.floor(i / 16) : i);
      const old = before.moments.get(key)!.data;
      const wanted = Array.from(old, (v, i) => (name !== "b_dec" && flags[latentOf(i)] ? 0 : v));
      expect([key, shape, Array.from(data)]).toEqual([key, shape, wanted]);
    }
  });
});

describe("SaeTrainer", () => {
  it("learns: explains most of a sparse dictionary's variance, and says so", async () => {
    const sae = make({ architecture: "topk", k: 3 });
    const reports = await runTo(trainerOf(sae, { totalSteps: 150, lr: 1e-2 }), 150);
    expect(reports[0]!.members[0]!.fve).toBeLessThan(0.6);
    expect(reports.at(-1)!.members[0]!.fve).toBeGreaterThan(0.8);
    expect(reports.at(-1)!.members[0]!.l0).toBeLessThanOrEqual(3);
    expect(reports.map((r) => r.step)).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
    expect(reports.at(-1)!.rows).toBe(150 * batchRows);
  });

  it.each(variants)("gives the same in chunks as at once: $architecture", async (variant) => {
    // A large eps keeps Adam from turning the rounding noise of gradients near 0 into whole steps.
    const options = { lr: 1e-2, eps: 1e-2, maxGradNorm: 1, deadAfterRows: 1, stream: undefined };
    const [whole, chunked] = [make(variant), make(variant)];
    const once = await runTo(trainerOf(whole, { ...options, stream: rows() }), 3);
    const chunks = await runTo(trainerOf(chunked, { ...options, stream: rows(), chunkRows: 32 }), 3);
    for (const [i, { members }] of chunks.entries()) {
      const [a, b] = [members[0]!, once[i]!.members[0]!];
      expectClose([a.loss, a.losses.l2!, a.l0], [b.loss, b.losses.l2!, b.l0], 1e-4 * Math.max(1, b.loss));
    }
    for (const [name, parameter] of whole.namedParameters())
      expectClose(await chunked.getParameter(name).data(), Array.from(await parameter.data()), 1e-4);
  });

  it("never has the whole batch's features at once in chunks, nor more for more chunks", async () => {
    const bytesOf = async (batchRows: number): Promise<number> => {
      const trainer = trainerOf(make(variants[1]!), { chunkRows: 256 });
      const { bytes, dispatches } = await trainer.prepare({ batchRows });
      trainer.destroy();
      return bytes - 4 * batchRows * sizes.dIn - 256 * dispatches; // without the batch itself, and the launches' parameters
    };
    const [few, many] = [await bytesOf(2048), await bytesOf(8192)];
    expect(many).toBeLessThan(4 * 8192 * sizes.dSae);
    expect(many - few).toBeLessThan(0.3 * 4 * (8192 - 2048) * sizes.dSae);
  });

  it("takes a last chunk that is smaller", async () => {
    const [whole, chunked] = [make(variants[0]!), make(variants[0]!)];
    const [a] = await runTo(trainerOf(whole), 1);
    const [b] = await runTo(trainerOf(chunked, { chunkRows: 36 }), 1);
    expectClose([b!.members[0]!.loss, b!.members[0]!.l0], [a!.members[0]!.loss, a!.members[0]!.l0], 1e-5 * a!.members[0]!.loss);
  });

  it("trains a grid on one stream to the very bits of each by itself", async () => {
    const grid = variants.map((variant, i) => ({ name: `sae-${i}`, sae: make(variant, i), lr: 1e-3 * (i + 1) }));
    const options = { totalSteps: 6, schedule: { warmupSteps: 2, decaySteps: 3 }, sparsityWarmupSteps: 3 };
    const together = new SaeTrainer(grid, { ...options, stream: rows() });
    const reports = await runTo(together, 6);
    for (const [i, variant] of variants.entries()) {
      const alone = trainerOf(make(variant, i), { ...options, lr: 1e-3 * (i + 1), stream: rows() });
      const own = await runTo(alone, 6);
      expect(reports.map((r) => r.members[i]!.loss)).toEqual(own.map((r) => r.members[0]!.loss));
      expect(bits(await together.members[i]!.state())).toEqual(bits(await alone.members[0]!.state()));
    }
  });

  it("trains at several sites to the very bits of each by itself, whatever their widths, and goes on from its state", async () => {
    const widths = { narrow: 6, wide: sizes.dIn };
    const source = (site: keyof typeof widths): ArrayStream => {
      const data = Float32Array.from(seededValues(3, [400, widths[site]]).data, (v) => v + 0.5);
      return new ArrayStream({ shape: [400, widths[site]], dtype: "f32", data }, { groupsPerBatch: 48, seed: 2 });
    };
    const options: SaeTrainOptions = {
      ...{ totalSteps: 8, lr: 1e-2, activationScale: "sqrt-width", bDecInit: "mean", deadAfterRows: 40 },
      resample: { atSteps: [3], rows: 100 },
    };
    const member = (site: keyof typeof widths, seed: number): { name: string; sae: SparseAutoencoder } => ({
      name: `${site}-${seed}`,
      sae: createSae({ architecture: "topk", dIn: widths[site], dSae: 40, k: 2, seed }),
    });
    const places = [["wide", 1], ["narrow", 1], ["wide", 2]] as const; // biome-ignore format: a list
    const several = (): SaeTrainer =>
      new SaeTrainer(
        places.map(([site, seed]) => ({ ...member(site, seed), site })),
        { ...options, stream: new SiteStreams({ narrow: source("narrow"), wide: source("wide") }) },
      );
    const together = several();
    const reports = await runTo(together, 8);
    for (const site of ["wide", "narrow"] as const) {
      const own = places.filter(([name]) => name === site).map(([, seed]) => member(site, seed));
      const alone = new SaeTrainer(own, { ...options, stream: source(site) });
      const wanted = await runTo(alone, 8);
      for (const trained of alone.members) {
        const at = together.members.findIndex(({ name }) => name === trained.name);
        const reportOf = (all: SaeStepReport[]): object[] => all.map(({ members }) => members.find(({ name }) => name === trained.name)!);
        expect(reportOf(reports)).toEqual(reportOf(wanted));
        expect(bits(await together.members[at]!.state())).toEqual(bits(await trained.state()));
        expect(together.scaleOf(trained.name)).toBe(alone.scaleOf(trained.name));
      }
    }
    expect(reports[3]!.members.some(({ resampled }) => resampled! > 0)).toBe(true);
    const first = several();
    await runTo(first, 5);
    const second = several();
    await second.restore(readSnapshot(writeSnapshot(await first.state())));
    await runTo(second, 8);
    expect(bits(await second.state())).toEqual(bits(await together.state()));
    expect((await second.state()).values).toEqual((await together.state()).values);
  });

  it.each(variants)("goes on from its state bit for bit, buffer and counters included: $architecture", async (variant) => {
    const dictionary = sparseDictionary({ count: 24, width: sizes.dIn, active: 2, seed: 5 });
    class Source {
      #inner = dictionary.batches(40);
      #taken = 0;
      async next(): Promise<IteratorResult<{ rows: HostTensor }>> {
        this.#taken++;
        const { value, done } = await this.#inner.next();
        return done ? { done, value: undefined } : { done: false, value: { rows: value } };
      }
      state(): Snapshot {
        return { values: { taken: this.#taken }, tensors: new Map() };
      }
      async restore({ values }: Snapshot): Promise<void> {
        this.#inner = dictionary.batches(40);
        this.#taken = 0;
        while (this.#taken < Number(values.taken)) await this.next();
      }
    }
    const options: SaeTrainOptions = {
      totalSteps: 14,
      lr: 1e-2,
      maxGradNorm: 1,
      schedule: { warmupSteps: 3, decaySteps: 6 },
      sparsityWarmupSteps: 9,
      activationScale: "sqrt-width",
      bDecInit: "mean",
      initRows: 100,
      deadAfterRows: 130,
      resample: { atSteps: [4, 10], rows: 100 },
    };
    const trainer = (): SaeTrainer =>
      new SaeTrainer(make(variant), { ...options, stream: new MixingBuffer(new Source(), { batchRows: 64, bufferRows: 200, seed: 3 }) });
    const straight = trainer();
    const wanted = await runTo(straight, 14);
    const first = trainer();
    await runTo(first, 7);
    const saved = writeSnapshot(await first.state());
    await runTo(first, 9); // what happens after a state was taken does not matter to it
    const second = trainer();
    await second.restore(readSnapshot(saved));
    const rest = await runTo(second, 14);
    const withoutTime = ({ milliseconds: _, ...report }: SaeStepReport): object => report;
    expect(rest.map(withoutTime)).toEqual(wanted.slice(7).map(withoutTime));
    expect(bits(await second.state())).toEqual(bits(await straight.state()));
    expect((await second.state()).values).toEqual((await straight.state()).values);
  });

  it("takes other rates and sparsity coefficients from the next step on, and goes on with them", async () => {
    const variant: Variant = { architecture: "standard", l1Coefficient: 0.4 };
    const stream = (): ArrayStream => new ArrayStream(numbers, { groupsPerBatch: 8 });
    const [tuned, meant] = [
      trainerOf(make(variant), { lr: 0.02, stream: stream() }),
      trainerOf(make({ ...variant, l1Coefficient: 0.1 }), { lr: 0.01, stream: stream() }),
    ];
    tuned.rateFactor = 0.5;
    tuned.sparsityFactor = 0.25;
    const withoutTime = ({ milliseconds: _, sparsityScale: __, ...report }: SaeStepReport): object => report;
    // Powers of two scale without rounding, so the two trainings are the same to the bit.
    expect((await runTo(tuned, 4)).map(withoutTime)).toEqual((await runTo(meant, 4)).map(withoutTime));
    const state = await tuned.state();
    const resumed = trainerOf(make(variant), { lr: 0.02, stream: stream() });
    await resumed.restore(state);
    expect([resumed.rateFactor, resumed.sparsityFactor]).toEqual([0.5, 0.25]);
    expect((await runTo(resumed, 6)).map((r) => [r.lr, r.sparsityScale])).toEqual([[0.01, 0.25], [0.01, 0.25]]); // biome-ignore format: one line
    expect(() => Object.assign(tuned, { rateFactor: -1 })).toThrow("Expected a factor of the rate of at least 0 but found -1");
    expect(() => Object.assign(tuned, { sparsityFactor: Number.NaN })).toThrow("of the sparsity coefficient of at least 0 but found NaN");
  });

  it("holds a JumpReLU's thresholds at 0 or above, whatever the step", async () => {
    const sae = make({ architecture: "jumprelu", sparsity: "step", l0Coefficient: 0, initialThreshold: 0.05, bandwidth: 0.5 });
    await runTo(trainerOf(sae, { lr: 0.5 }), 3);
    const thresholds = Array.from(await sae.getParameter("threshold").data());
    expect(Math.min(...thresholds)).toBe(0);
  });

  it("refuses the state of a stream that it cannot set, and of other members", async () => {
    const stream = new ArrayStream(numbers, { groupsPerBatch: 8 });
    const state = await trainerOf(make(variants[0]!), { stream }).state();
    await expect(trainerOf(make(variants[0]!)).restore(state)).rejects.toThrow("Expected a stream that can be resumed");
    const other = trainerOf(make(variants[2]!), { stream: new ArrayStream(numbers, { groupsPerBatch: 8 }) });
    const trained = (scales: unknown): Snapshot => ({ ...state, values: { ...state.values, trainer: { step: 1, scales } as never } });
    for (const [scales, found] of [
      [[1, 1], "2"],
      [undefined, "none"],
    ])
      await expect(trainerOf(make(variants[0]!), { stream }).restore(trained(scales))).rejects.toThrow(
        `Expected the state of 1 sites but found that of ${found}`,
      );
    await expect(other.restore({ ...state, values: { ...state.values, members: {} } })).rejects.toThrow("Expected a state with 'sae'");
  });

  it("warms up and decays the rate, and warms up the sparsity", async () => {
    const trainer = trainerOf(make(variants[0]!), {
      totalSteps: 10,
      lr: 1,
      schedule: { warmupSteps: 3, decaySteps: 4 },
      sparsityWarmupSteps: 4,
    });
    const reports = await runTo(trainer, 10);
    expect(reports.map((r) => r.lr)).toEqual([0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25]);
    expect(reports.map((r) => r.sparsityScale)).toEqual([0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1]);
    expect(reports[0]!.members[0]!.losses.l1).toBe(0);
  });

  it("scales activations to a mean norm of √D, starts b_dec there, and folds the scale into saved weights", async () => {
    const offset = 3;
    const truth = sparseDictionary({ count: 24, width: sizes.dIn, active: 2, seed: 5, offset });
    const sae = make({ architecture: "jumprelu", l0Coefficient: 0.3, decoderInitNorm: 0.8, initialThreshold: 0.02 });
    const trainer = trainerOf(sae, {
      stream: truth.batches(batchRows),
      activationScale: "sqrt-width",
      bDecInit: "geometric-median",
      lr: 1e-3,
    });
    await runTo(trainer, 1);
    const { value } = (await truth.batches(batchRows).next()) as { value: HostTensor };
    const data = value.data as Float32Array;
    const norms = Array.from({ length: batchRows }, (_, r) => Math.hypot(...data.subarray(16 * r, 16 * r + 16)));
    expect(trainer.scaleOf("sae") / (4 / (norms.reduce((a, b) => a + b, 0) / batchRows))).toBeCloseTo(1, 1);
    for (const b of await sae.b_dec.data()) expect(Math.abs(b / trainer.scaleOf("sae") - offset)).toBeLessThan(0.3);

    const raw = tensor(data, { shape: value.shape });
    const scaled = raw.mul(trainer.scaleOf("sae"));
    const [features, reconstruction] = [await sae.encode(scaled).data(), await sae.decode(sae.encode(scaled)).data()];
    const folded = make({ architecture: "jumprelu" });
    folded.loadStateDict(await trainer.foldedState("sae"));
    const size = Math.max(...features);
    expect(size).toBeGreaterThan(0.1);
    expectClose(await folded.encode(raw).data(), Array.from(features), 1e-4 * size);
    expectClose(
      await folded.decode(folded.encode(raw)).data(),
      Array.from(reconstruction, (v) => v / trainer.scaleOf("sae")),
      1e-4 * size,
    );
  });

  it("revives dead latents by resampling: they fire again, and only then count anew", async () => {
    const sae = make({ architecture: "standard", l1Coefficient: 0.1 });
    const state: StateDict = await sae.stateDict();
    const bias = Float32Array.from({ length: sizes.dSae }, (_, f) => (f < 10 ? -100 : 0));
    state.set("b_enc", { shape: [sizes.dSae], dtype: "f32", data: bias });
    sae.loadStateDict(state);
    const trainer = trainerOf(sae, { lr: 1e-3, deadAfterRows: 2 * batchRows, resample: { atSteps: [5], rows: 200 } });
    const reports = (await runTo(trainer, 9)).map((r) => r.members[0]!);
    expect(reports.map((r) => r.dead >= 10)).toEqual([false, true, true, true, true, false, false, false, false]);
    expect(reports[5]!.resampled).toBeGreaterThanOrEqual(10);
    expect(reports[6]!.resampled).toBeUndefined();
    const silent = await trainer.members[0]!.activity.silentRows.data();
    expect(Array.from(silent.slice(0, 10)).filter((n) => n === 0).length).toBeGreaterThan(5);
  });

  it("adds losses for dead latents once there are any", async () => {
    const sae = make({ architecture: "topk", k: 1 });
    const reports = await runTo(trainerOf(sae, { totalSteps: 60, deadAfterRows: 3 * batchRows }), 52);
    expect(Object.keys(reports[0]!.members[0]!.losses)).toEqual(["l2"]);
    expect(reports[49]!.members[0]!.dead).toBeGreaterThan(0);
    expect(Object.keys(reports[51]!.members[0]!.losses)).toEqual(["l2", "aux"]);
  });

  it("ends with its stream, and stops when asked to with all steps reported", async () => {
    async function* three(): AsyncGenerator<HostTensor> {
      let left = 3;
      for await (const batch of rows()) {
        if (left-- === 0) return;
        yield batch;
      }
    }
    expect((await runTo(trainerOf(make(variants[0]!), { stream: three() }), 30)).length).toBe(3);
    const stop = new AbortController();
    const trainer = trainerOf(make(variants[0]!));
    const steps: number[] = [];
    for await (const { step } of trainer.run({ until: 30, signal: stop.signal })) {
      steps.push(step);
      if (step === 4) stop.abort();
    }
    expect(steps).toEqual(Array.from({ length: trainer.step }, (_, i) => i + 1));
    expect(trainer.step).toBeLessThan(8);
  });

  it("tells every coefficient with its units and what it comes to for a row", () => {
    const grid = [
      { name: "notebook", sae: make(variants[1]!) },
      { name: "topk", sae: make({ architecture: "topk", k: 3 }) },
    ];
    const text = new SaeTrainer(grid, { stream: rows(), totalSteps: 100, maxGradNorm: 1 }).describe({ batchRows: 256_000 }).join("\n");
    expect(text).toContain("l1: 0.0003 × sum over 256,000 rows of Σ_F f; 76.8 a row against mean ‖x̂ − x‖²");
    expect(text).toContain("note: a free decoder under an unweighted L1");
    expect(text).toContain("topk: topk, 16 → 40, k 3");
    expect(text).toContain("aux: 1 × mean over rows of ‖(x − x̂) − x̂_dead‖² · min(dead/8, 1), x̂_dead of the 8 strongest dead latents");
    expect(text).toContain("rates: constant");
  });

  it("tells every setting that changes what is trained", () => {
    const told = (config: Variant, options: Partial<SaeTrainOptions> = {}): string =>
      trainerOf(make(config), options).describe({ batchRows: 500 }).join("\n");
    const common = { decoderConstraint: "none", applyBDecToInput: false, init: "kaiming", decoderInitNorm: 0.3 } as const;
    const own: readonly [Variant, object][] = [
      [{ architecture: "standard" }, { l1Coefficient: 7, l1Reduction: "sum", l1Weight: "decoder-norm" }],
      [{ architecture: "topk" }, { k: 3, kAux: 5, auxCoefficient: 0.5 }],
      [{ architecture: "batchtopk" }, { k: 3, kAux: 5, auxCoefficient: 0.5, selectionRows: 50, thresholdRate: 0.3 }],
      [{ architecture: "matryoshka" }, { k: 3, kAux: 5, auxCoefficient: 0.5, selectionRows: 50, thresholdRate: 0.3, widths: [9, 40] }],
      [{ architecture: "gated" }, { l1Coefficient: 7 }],
      [
        { architecture: "jumprelu" },
        { l0Coefficient: 7, sparsity: "step", bandwidth: 0.9, initialThreshold: 0.7, tanhScale: 9, preActCoefficient: 0.5, decoderConstraint: "unit-norm" },
      ],
    ]; // biome-ignore format: a table
    for (const [variant, changes] of own) {
      const before = told(variant);
      for (const [name, value] of Object.entries({ ...common, ...changes }))
        expect(told({ ...variant, [name]: value }), `${variant.architecture} ${name}`).not.toBe(before);
    }
    const resample = { atSteps: [4], rows: 300, afterRows: 70, encoderScale: 0.4 };
    const all: Partial<SaeTrainOptions> = {
      ...{ totalSteps: 31, lr: 0.5, betas: [0.8, 0.9], eps: 1e-5, maxGradNorm: 2, sparsityWarmupSteps: 5, activationScale: "sqrt-width" },
      ...{ bDecInit: "mean", deadAfterRows: 77, chunkRows: 50 },
    };
    const before = told({ architecture: "standard" });
    for (const [name, value] of Object.entries(all)) expect(told({ architecture: "standard" }, { [name]: value }), name).not.toBe(before);
    const full: Partial<SaeTrainOptions> = {
      ...all,
      resample,
      initRows: 99,
      seed: 5,
      schedule: { warmupSteps: 2, decaySteps: 3, decay: "cosine", minFactor: 0.1 },
    };
    const whole = told({ architecture: "standard" }, full);
    const others = [
      { initRows: 98 },
      { seed: 6 },
      ...Object.keys(resample).map((name) => ({ resample: { ...resample, [name]: name === "atSteps" ? [5] : 0.6 } })),
      ...Object.entries({ warmupSteps: 3, decaySteps: 4, decay: "linear", minFactor: 0 }).map(([name, value]) => ({ schedule: { ...full.schedule, [name]: value } })),
    ] as Partial<SaeTrainOptions>[]; // biome-ignore format: a list
    for (const other of others) expect(told({ architecture: "standard" }, { ...full, ...other }), JSON.stringify(other)).not.toBe(whole);
  });

  it("refuses members that do not go together, streams of another width and unknown names", async () => {
    const sae = make(variants[0]!);
    const twice = [
      { name: "a", sae },
      { name: "a", sae },
    ];
    expect(() => new SaeTrainer(twice, { stream: rows(), totalSteps: 1 })).toThrow("Expected names that differ");
    const other = createSae({ architecture: "standard", dIn: 4, dSae: 8 });
    const mixed = [
      { name: "a", sae },
      { name: "b", sae: other },
    ];
    expect(() => new SaeTrainer(mixed, { stream: rows(), totalSteps: 1 })).toThrow("Expected members of one width but found dIn 16 and 4");
    const sited = (site: string | undefined): SaeTrainer =>
      new SaeTrainer([{ name: "a", sae, ...(site !== undefined && { site }) }], {
        ...{ totalSteps: 1, stream: new SiteStreams({ here: new ArrayStream(numbers, { groupsPerBatch: 8 }) }) },
      });
    await expect(runTo(sited("there"), 1)).rejects.toThrow("Expected batches of 'there' from the stream but found those of here");
    await expect(runTo(sited(undefined), 1)).rejects.toThrow("found sites by name: say with each member's site which it takes");
    const unnamed = new SaeTrainer([{ name: "a", sae, site: "here" }], { stream: rows(), totalSteps: 1 });
    await expect(runTo(unnamed, 1)).rejects.toThrow("Expected batches of sites by name, 'here' among them, from the stream");
    const some = [
      { name: "a", sae },
      { name: "b", sae, site: "here" },
    ];
    expect(() => new SaeTrainer(some, { stream: rows(), totalSteps: 1 })).toThrow("Expected a site for each member or for none");
    const uneven = async function* (): AsyncGenerator<SiteBatch> {
      yield { here: numbers, there: { ...numbers, shape: [39, 16], data: numbers.data.subarray(16) } };
    };
    const two = [
      { name: "a", sae, site: "here" },
      { name: "b", sae: make(variants[0]!), site: "there" },
    ];
    await expect(runTo(new SaeTrainer(two, { stream: uneven(), totalSteps: 1 }), 1)).rejects.toThrow(
      "Expected batches of as many rows at every site but found 40 and 39",
    );
    await expect(runTo(trainerOf(other), 1)).rejects.toThrow("Expected batches [B, 4] from the stream but found [96, 16]");
    await expect(trainerOf(sae).foldedState("other")).rejects.toThrow("Expected one of sae but found 'other'");
    expect(() => partOf({ values: {}, tensors: new Map() }, "trainer")).toThrow("Expected a state with 'trainer' but found nothing");
  });
});
