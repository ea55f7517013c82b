import { readFileSync } from "node:fs";
import { Adam, type Device, fromHost, type HostTensor, openDevice, readSafetensors } from "@cursive/tensor";
import { expectClose } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae } from "./create_sae.ts";
import type { SparseAutoencoder } from "./sae.ts";
import { SaeTrainer } from "./train/trainer.ts";

// What PyTorch computed, in f32, for the notebook's AutoEncoder class with random parameters (D 16, F 128, 300 rows): losses, x̂, gradients,
// the decoder's gradient projected, and 20 steps of Adam (rate 1e-4, betas 0.9 and 0.99): losses before each step, parameters after the last.
const { tensors, metadata } = readSafetensors(readFileSync(new URL("testing/golden.safetensors", import.meta.url)));
const golden = (name: string): HostTensor => tensors.get(name)!;
const under = (prefix: string): Map<string, HostTensor> =>
  new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, host]) => [name.slice(prefix.length), host]));

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

function notebookSae(): SparseAutoencoder {
  const l1Coefficient = Number(metadata.l1_coeff);
  const sae = createSae({ architecture: "standard", dIn: 16, dSae: 128, l1Coefficient, l1Reduction: "sum", decoderConstraint: "none" });
  sae.loadStateDict(under("param."));
  return sae;
}

/** Both are f32 sums in their own orders: within a share of the greatest number. */
async function agrees(found: ArrayLike<number>, name: string, share = 1e-5): Promise<void> {
  const wanted = Array.from(golden(name).data);
  expectClose(found, wanted, share * Math.max(...wanted.map(Math.abs)));
}

describe("the notebook's autoencoder", () => {
  it("has PyTorch's losses, reconstruction and gradients", async () => {
    const sae = notebookSae();
    const { loss, losses, reconstruction } = sae.forward(fromHost(golden("x")));
    await agrees([await loss.item()], "loss");
    await agrees([await losses.l2!.item()], "l2");
    await agrees([await losses.l1!.item()], "l1");
    await agrees(await reconstruction.data(), "reconstruction");
    loss.backward();
    for (const [name, parameter] of sae.namedParameters()) await agrees(await parameter.grad!.data(), `grad.${name}`);
    sae.projectDecoderGradient();
    await agrees(await sae.W_dec.grad!.data(), "grad_W_dec_projected");
  });

  it("takes PyTorch's steps, by itself and in the trainer", async () => {
    const [alone, trained] = [notebookSae(), notebookSae()];
    const x = fromHost(golden("x"));
    const optimizer = new Adam(alone.parameters(), { lr: 1e-4, betas: [0.9, 0.99] });
    const losses: number[] = [];
    for (let i = 0; i < 20; i++) {
      optimizer.zeroGrad();
      const { loss } = alone.forward(x);
      loss.backward();
      optimizer.step();
      losses.push(await loss.item());
    }
    await agrees(losses, "adam_losses");

    async function* same(): AsyncGenerator<HostTensor> {
      for (;;) yield golden("x");
    }
    const trainer = new SaeTrainer(trained, { stream: same(), totalSteps: 20, lr: 1e-4, betas: [0.9, 0.99], chunkRows: 128 });
    const reported: number[] = [];
    for await (const { members } of trainer.run({ until: 20 })) reported.push(members[0]!.loss);
    await agrees(reported, "adam_losses");
    // Where a gradient is almost 0, Adam makes a step of its sign: 20 steps of 1e-4 is as far as a parameter can be off.
    for (const sae of [alone, trained]) {
      for (const [name, parameter] of sae.namedParameters()) {
        const found = await parameter.data();
        expectClose(found, Array.from(golden(`adam20.${name}`).data), 20 * 1e-4);
        const off = Array.from(found, (v, i) => Math.abs(v - golden(`adam20.${name}`).data[i]!)).filter((d) => d > 1e-5).length;
        expect(off).toBeLessThan(0.01 * found.length + 1);
      }
    }
  });
});
