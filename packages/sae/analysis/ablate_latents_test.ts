import { spliceSite, type Transformer } from "@cursive/cursive-model";
import { createRng, type Device, type HostTensor, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../../cursive-model/testing/random_model.ts";
import { createSae } from "../create_sae.ts";
import { measureModelEffect } from "../evaluation/model_effect.ts";
import { spliceHook } from "../evaluation/splice.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { type AblationSequence, ablateLatents, type LatentAblation } from "./ablate_latents.ts";

const [vocabulary, length, characters, width, dSae] = [13, 9, 4, 8, 12];
const site = "blocks.0.hook_mlp_out";

let device: Device;
let model: Transformer;
let sae: SparseAutoencoder;
beforeAll(async () => {
  device = await openDevice();
  const sizes = { nLayer: 2, nHead: 2, nEmbd: width, blockSize: length, contextBlockSize: characters };
  model = randomModel({ ...sizes, vocabSize: vocabulary, contextVocabSize: 5 }, 1);
  sae = createSae({ architecture: "topk", k: 3, dIn: width, dSae, seed: 2 });
});
afterAll(() => device.destroy());

const host = (data: ArrayLike<number>): HostTensor => ({ shape: [1, data.length], dtype: "i32", data: Int32Array.from(data) });

/** A random sequence, with all latents that fire in it and where. */
async function randomSequence(number: number): Promise<AblationSequence> {
  const rng = createRng(3, "sequence", number);
  const draw = (n: number, below: number): number[] => Array.from({ length: n }, () => rng.integer(below));
  const [tokens, targets, context] = [draw(length, vocabulary), draw(length, vocabulary), draw(characters, 5)];
  const x = spliceSite(model, site).activation(
    tensor(Int32Array.from(tokens), { shape: [1, length] }),
    tensor(Int32Array.from(context), { shape: [1, characters] }),
  );
  const features = (await sae.encode(x.reshape([length, width])).data()) as Float32Array;
  const latents = Array.from({ length: dSae }, (_, latent) => {
    const positions = Array.from({ length }, (_, t) => t).filter((t) => features[t * dSae + latent]! > 0);
    return { latent, positions, activations: positions.map((t) => features[t * dSae + latent]!) };
  }).filter(({ positions }) => positions.length > 0);
  return { sequence: number, tokens, targets, context, latents };
}

async function ablated(sequences: readonly AblationSequence[], atOnce?: number): Promise<LatentAblation[]> {
  const found: LatentAblation[] = [];
  for await (const one of ablateLatents(sae, { model: spliceSite(model, site), sequences, atOnce })) found.push(one);
  return found;
}

/** One latent at a time through the splice that `sae eval` uses: mean ΔCE and mean KL over all targets. */
async function bySplice({ tokens, targets, context }: AblationSequence, latent: number): Promise<{ deltaCe: number; kl: number }> {
  const others = tensor(Float32Array.from({ length: dSae }, (_, f) => Number(f !== latent)));
  const spliced = spliceHook(sae, { errorTerm: true, edit: (features) => features.mul(others) });
  const { all } = await measureModelEffect(
    { encode: (x) => x, decode: (x) => spliced(x) }, // measureModelEffect puts decode(encode(x)) in the place of x
    {
      model: spliceSite(model, site),
      batches: (batch) => (batch === 0 ? { tokens: host(tokens), targets: host(targets), context: host(context) } : undefined),
      mean: new Float32Array(width),
      padToken: vocabulary,
    },
  );
  return { deltaCe: all.sae.deltaCe.value, kl: all.sae.kl.value };
}

function logSoftmax(logits: Float64Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
  return logits.map((logit) => logit - most - Math.log(sum));
}

const mean = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length;

describe("ablateLatents", () => {
  it("finds what splicing the autoencoder in without the latent finds, one latent and sequence at a time", async () => {
    const sequences = [await randomSequence(0), await randomSequence(1)];
    const found = await ablated(sequences);
    expect(found.map(({ sequence, latent }) => [sequence, latent])).toEqual(
      sequences.flatMap(({ sequence, latents }) => latents.map(({ latent }) => [sequence, latent])),
    );
    let largest = 0;
    for (const { sequence, latent, deltaCe, kl } of found) {
      const expected = await bySplice(sequences[sequence]!, latent);
      // cross-entropies of about 2.5 nats in f32, and x + decode(…) − decode(…) rounds otherwise than x − f·W_dec
      expect(Math.abs(mean(deltaCe) - expected.deltaCe)).toBeLessThan(5e-6);
      expect(Math.abs(mean(kl) - expected.kl)).toBeLessThan(5e-6);
      largest = Math.max(largest, Math.abs(expected.deltaCe));
    }
    expect(largest).toBeGreaterThan(1e-3);
  });

  it("has the cross-entropies and divergences that float64 makes of the logits", async () => {
    const made = await randomSequence(2);
    const { data } = (await sae.stateDict()).get("W_dec")!;
    const logitsWithout = async ({
      latent,
      positions,
      activations,
    }: Partial<AblationSequence["latents"][number]>): Promise<Float64Array[]> => {
      const ids = ({ shape, data: values }: HostTensor): Tensor => tensor(values as Int32Array, { shape: [...shape] });
      const taken = new Float32Array(length * width);
      for (let k = 0; k < (positions?.length ?? 0); k++)
        for (let d = 0; d < width; d++) taken[positions![k]! * width + d] = activations![k]! * data[latent! * width + d]!;
      const remove = (x: Tensor): Tensor => x.sub(tensor(taken, { shape: [1, length, width] }));
      const logits = (await spliceSite(model, site)
        .logits(ids(host(made.tokens)), ids(host(made.context)), remove)
        .data()) as Float32Array;
      return Array.from({ length }, (_, t) => logSoftmax(Float64Array.from(logits.subarray(t * vocabulary, (t + 1) * vocabulary))));
    };
    const before = await logitsWithout({});
    for (const { latent, deltaCe, kl } of await ablated([made])) {
      const after = await logitsWithout(made.latents.find((one) => one.latent === latent)!);
      for (let t = 0; t < length; t++) {
        const target = made.targets[t]!;
        expect(Math.abs(deltaCe[t]! - (before[t]![target]! - after[t]![target]!))).toBeLessThan(1e-5);
        const divergence = before[t]!.reduce((sum, log, v) => sum + Math.exp(log) * (log - after[t]![v]!), 0);
        expect(Math.abs(kl[t]! - divergence)).toBeLessThan(1e-5);
      }
    }
  });

  it("changes nothing before a latent fires first, and nothing at all where it never does", async () => {
    const made = await randomSequence(4);
    const { positions, latent } = made.latents.toSorted((a, b) => b.positions[0]! - a.positions[0]!)[0]!;
    expect(positions[0]).toBeGreaterThan(0);
    const silent = { latent: 0, positions: [], activations: [] };
    const found = await ablated([{ ...made, latents: [...made.latents, silent] }]);
    const { deltaCe, kl } = found.find((one) => one.latent === latent)!;
    for (let t = 0; t < positions[0]!; t++) expect(deltaCe[t]).toBe(0);
    for (let t = 0; t < positions[0]!; t++) expect(Math.abs(kl[t]!)).toBe(0);
    expect(deltaCe[positions[0]!]).not.toBe(0);
    expect([...found.at(-1)!.deltaCe]).toEqual(new Array(length).fill(0));
  });

  it("gives the same whatever shares the GPU, and counts no place that asks nothing", async () => {
    const made = await randomSequence(5);
    const [together, apart] = [await ablated([made]), await ablated([made], 2)];
    for (const [i, { deltaCe }] of together.entries())
      for (let t = 0; t < length; t++) expect(Math.abs(deltaCe[t]! - apart[i]!.deltaCe[t]!)).toBeLessThan(3e-6);
    const [masked] = await ablated([{ ...made, targets: Array.from(made.targets, (target, t) => (t < 5 ? target : -5)) }]);
    expect([...masked!.deltaCe.subarray(5)]).toEqual([0, 0, 0, 0]);
    expect([...masked!.deltaCe.subarray(0, 5)]).toEqual([...together[0]!.deltaCe.subarray(0, 5)]);
  });

  it("refuses latents and places that are not there", async () => {
    const made = await randomSequence(0);
    const wrong = (latent: number, position: number): AblationSequence => ({
      ...made,
      latents: [{ latent, positions: [position], activations: [1] }],
    });
    await expect(ablated([wrong(dSae, 0)])).rejects.toThrow("Expected a latent below 12 but found 12");
    await expect(ablated([wrong(0, length)])).rejects.toThrow("Expected a position below 9 but found 9");
  });

  it("stops when asked", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    const run = ablateLatents(sae, { model: spliceSite(model, site), sequences: [await randomSequence(0)], signal });
    await expect(run.next()).rejects.toThrow("enough");
  });
});
