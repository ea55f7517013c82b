import { readFileSync } from "node:fs";
import { loadReferenceCheckpoint, spliceSite, type Transformer } from "@cursive/cursive-model";
import { type Device, fromHost, type HostTensor, noGrad, openDevice, readSafetensors } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae } from "./create_sae.ts";
import { ArrayStream } from "./data/array_stream.ts";
import { getFreqs, getReconsLoss, type ReconsLoss } from "./evaluation/notebook.ts";
import { saePreset } from "./presets.ts";
import type { SparseAutoencoder } from "./sae.ts";
import { SaeTrainer } from "./train/trainer.ts";

// A checkpoint that PyTorch saved as the original does, and the notebook's autoencoder trained on its first MLP by PyTorch.
// testing/make_replay.py wrote both and says what each name holds.
const file = (name: string): Uint8Array => readFileSync(new URL(`testing/${name}`, import.meta.url));
const { tensors, metadata } = readSafetensors(file("replay.safetensors"));
const measured: ReconsLoss & { readonly l0: number } = JSON.parse(metadata.measured!);
const { steps, rows, stride, lr, l1Coefficient, dictMult } = JSON.parse(metadata.sae!);

const site = "blocks.0.hook_mlp_out";
const of = (name: string): HostTensor => tensors.get(name)!;
const weights = (when: "init" | "final"): Map<string, HostTensor> =>
  new Map(["W_enc", "W_dec", "b_enc", "b_dec"].map((name) => [name, of(`${when}.${name}`)]));

let device: Device;
let model: Transformer;
let activations: HostTensor; // (B T, C)
beforeAll(async () => {
  device = await openDevice();
  ({ model } = loadReferenceCheckpoint(file("replay_checkpoint.pt")));
  const [tokens, context] = [fromHost(of("tokens")), fromHost(of("context"))];
  const found = noGrad(() => spliceSite(model, site).activation(tokens, context));
  const width = model.config.nEmbd;
  activations = { shape: [found.size / width, width], dtype: "f32", data: (await found.data()) as Float32Array<ArrayBuffer> };
});
afterAll(() => device.destroy());

const batches = (batch: number) => (batch === 0 ? { tokens: of("tokens"), targets: of("targets"), context: of("context") } : undefined);
const sequences = () => ({ model: spliceSite(model, site), batches });

/** Trains as the preset `notebook` does, on PyTorch's rows, from its initial weights; gives loss, l2 and l1 before each step. */
async function train(
  sae: SparseAutoencoder,
  { until = steps, first = (step: number): number => stride * step }: { until?: number; first?: (step: number) => number } = {},
): Promise<number[][]> {
  sae.loadStateDict(weights("init"));
  const count = activations.shape[0]!;
  const order = Array.from({ length: until }, (_, step) => Array.from({ length: rows }, (_, i) => (7 * i + first(step)) % count));
  const stream = new ArrayStream(activations, { groupsPerBatch: rows, order });
  const curve: number[][] = [];
  const preset = saePreset("notebook", { dIn: model.config.nEmbd, totalSteps: steps });
  const trainer = new SaeTrainer(sae, { ...preset.train, stream });
  for await (const { members } of trainer.run({ until })) {
    const { loss, losses } = members[0]!;
    curve.push([loss, losses.l2!, losses.l1!]);
  }
  return curve;
}

/** The greatest share by which any loss is off PyTorch's. */
function furthest(curve: readonly (readonly number[])[]): number {
  const wanted = of("losses").data;
  return Math.max(...curve.flatMap((losses, step) => losses.map((loss, i) => Math.abs(loss / wanted[3 * step + i]! - 1))));
}

const off = (found: number, wanted: number): number => Math.abs(found / wanted - 1);

describe("the original's checkpoint and the notebook's autoencoder, replayed", () => {
  it("gives the loss and the loss with zeros at the first MLP that PyTorch measured", async () => {
    const { checkpoint } = loadReferenceCheckpoint(file("replay_checkpoint.pt"));
    expect(checkpoint.config).toEqual(JSON.parse(metadata.config!));
    const [tokens, context, targets] = [of("tokens"), of("context"), of("targets")].map((host) => fromHost(host));
    const { loss } = noGrad(() => model.forward(tokens!, context!, targets));
    expect(off(await loss!.item(), measured.loss)).toBeLessThan(1e-5);
    const handle = model.getSubmodule("transformer.h.0.mlp.c_proj").registerForwardHook((_module, _inputs, output) => output.mul(0));
    const zeroed = noGrad(() => model.forward(tokens!, context!, targets));
    expect(off(await zeroed.loss!.item(), measured.zero_abl_loss)).toBeLessThan(1e-5);
    handle.remove();
  });

  it("takes PyTorch's course over all steps, within 1%, to its reconstruction loss and frequencies", async () => {
    const { sae: config, train: options } = saePreset("notebook", { dIn: model.config.nEmbd });
    expect([config.dSae, options.lr]).toEqual([dictMult * model.config.nEmbd, lr]);
    expect(config).toMatchObject({ l1Coefficient, l1Reduction: "sum" });
    const sae = createSae(config);
    const curve = await train(sae);
    expect(curve).toHaveLength(steps);
    expect(curve.at(-1)![0]).toBeLessThan(0.25 * curve[0]![0]!); // there is a course to take
    expect(furthest(curve)).toBeLessThan(0.01);
    for (const [name, { data }] of weights("final")) {
      const found = await sae.getParameter(name).data();
      const size = Math.max(...Array.from(data, Math.abs));
      for (const [i, value] of data.entries()) expect(Math.abs(found[i]! - value), name).toBeLessThan(0.01 * size);
    }
    const recons = await getReconsLoss(sae, sequences());
    for (const name of ["loss", "recons_loss", "zero_abl_loss", "score"] as const)
      expect(off(recons[name], measured[name]), name).toBeLessThan(0.01);
    const { freqs } = await getFreqs(sae, sequences());
    expect(
      off(
        freqs.reduce((a, b) => a + b, 0),
        measured.l0,
      ),
    ).toBeLessThan(0.01);
    for (const [latent, freq] of of("freqs").data.entries()) expect(Math.abs(freqs[latent]! - freq)).toBeLessThan(0.01);
  });

  it("would notice other rows, and an L1 that is a mean", async () => {
    const { sae: config } = saePreset("notebook", { dIn: model.config.nEmbd });
    expect(furthest(await train(createSae(config), { until: 8, first: (step) => stride * (step + 1) }))).toBeGreaterThan(0.02);
    const mean = createSae({ ...config, l1Reduction: "mean" } as typeof config);
    expect(furthest(await train(mean, { until: 8 }))).toBeGreaterThan(0.02);
  });
});
