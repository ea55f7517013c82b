import { AdamW, capture, type Device, openDevice, type Tensor, tensor } from "@cursive/tensor";
import type { Case, GptCase, MatmulCase, SaeCase } from "../cases.ts";
import { GPT, gptBatch, gptParameters } from "../work/gpt.ts";
import { matmulInputs } from "../work/matmul.ts";
import { SAE, saeBatch, saeParameters } from "../work/sae.ts";
import { type NamedValues, uniformValues } from "../work/values.ts";
import type { Engine, EngineOptions, Work } from "./engine.ts";

/** This repository's engine, `captured` or `eager`; where it writes, `cached` or `recomputed`. */
export async function openCursive({ mode }: EngineOptions): Promise<Engine> {
  const device = await openDevice();
  const build = { device, isCaptured: mode === "captured", keepsKeys: mode === "cached" };
  return { versions: {}, build: async (work) => builders[work.kind](work as never, build) };
}

interface Build {
  readonly device: Device;
  readonly isCaptured: boolean;
  readonly keepsKeys: boolean;
}

/** What a case needs is loaded only there: another one's time to its first step should not contain it. */
const builders: { [K in Case["kind"]]: (work: Extract<Case, { kind: K }>, build: Build) => Work | Promise<Work> } = {
  gpt,
  sae,
  matmul,
  token: async (work, { keepsKeys }) => {
    const { nextToken, nextTokenAnew } = await import("./cursive_writing.ts");
    return keepsKeys ? nextToken(work) : nextTokenAnew(work);
  },
  write: async (work, { keepsKeys }) => (await import("./cursive_writing.ts")).write(work, keepsKeys),
};

async function gpt({ batch, length }: GptCase, { isCaptured }: Build): Promise<Work> {
  const { Transformer } = await import("@cursive/cursive-model");
  const { layers, heads, width, vocabulary, characters, context, lr, betas, epsilon, weightDecay } = GPT;
  const model = new Transformer({
    nLayer: layers,
    nHead: heads,
    nEmbd: width,
    blockSize: length,
    contextBlockSize: context,
    vocabSize: vocabulary,
    contextVocabSize: characters,
  });
  model.loadStateDict(hostTensors(gptParameters(length)));
  const optimizer = new AdamW(model.parameters(), { lr, betas, eps: epsilon, weightDecay });
  const data = gptBatch(batch, length);
  const tokens = tensor(data.tokens, { shape: [batch, length] });
  const targets = tensor(data.targets, { shape: [batch, length] });
  const text = tensor(data.context, { shape: [batch, context] });
  return training(() => {
    optimizer.zeroGrad();
    const { loss } = model.forward(tokens, text, targets);
    loss!.backward();
    optimizer.step();
    return loss!;
  }, isCaptured);
}

async function sae({ rows, features }: SaeCase, { isCaptured }: Build): Promise<Work> {
  const { SaeAdam, StandardSae } = await import("@cursive/sae/architectures");
  const autoencoder = new StandardSae({
    architecture: "standard",
    dIn: SAE.width,
    dSae: features,
    decoderConstraint: "none",
    l1Weight: "none",
    l1Coefficient: SAE.sparsity,
  });
  const names = { encoder: "W_enc", decoder: "W_dec", encoderBias: "b_enc", decoderBias: "b_dec" } as const;
  const values = [...hostTensors(saeParameters(features))].map(([name, value]) => [names[name as keyof typeof names], value] as const);
  autoencoder.loadStateDict(new Map(values));
  const optimizer = new SaeAdam(autoencoder, { lr: SAE.lr, betas: SAE.betas, eps: SAE.epsilon });
  const x = tensor(saeBatch(rows), { shape: [rows, SAE.width] });
  return training(() => {
    optimizer.zeroGrad();
    const { loss } = autoencoder.forward(x);
    loss.backward();
    optimizer.step();
    return loss;
  }, isCaptured);
}

function matmul(work: MatmulCase, { device, isCaptured }: Build): Work {
  const { a, b } = matmulInputs(work);
  const left = tensor(a, { shape: [work.m, work.k] });
  const right = tensor(b, { shape: [work.k, work.n] });
  const product = (): Tensor => left.matmul(right);
  const run = isCaptured ? capture(product) : product;
  let latest: Tensor | undefined;
  return {
    start: async () => {
      if (!isCaptured) latest?.storage.release(); // as a program would that keeps one result at a time
      latest = await run();
      return {
        finished: async () => {
          await device.synchronize();
          return Number.NaN;
        },
      };
    },
    check: async () => [...(await latest!.data())].reduce((sum, value) => sum + value * value, 0),
  };
}

function training(step: () => Tensor, isCaptured: boolean): Work {
  const run = isCaptured ? capture(step) : step;
  return {
    start: async () => {
      const loss = await run();
      return { finished: () => loss.item() };
    },
  };
}

function hostTensors(named: NamedValues) {
  return new Map(
    named.map(([name, values], stream) => [name, { shape: values.shape, dtype: "f32", data: uniformValues(values, stream) }] as const),
  );
}
