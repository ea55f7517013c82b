import { readFileSync } from "node:fs";
import {
  AdamW,
  capture,
  type Device,
  fromHost,
  type Optimizer,
  openDevice,
  readSafetensors,
  SGD,
  type StateDict,
  type Tensor,
} from "@cursive/tensor";
import { expectClose } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Transformer, type TransformerConfig } from "./transformer.ts";

// What PyTorch computes for two small models with every parameter random. testing/make_golden.py wrote it and says what each name holds.
const { tensors, metadata } = readSafetensors(readFileSync(new URL("testing/golden.safetensors", import.meta.url)));
const configs: Record<string, TransformerConfig> = JSON.parse(metadata.configs!);
const rounding: Record<string, Record<string, number>> = JSON.parse(metadata.rounding!);
const steps = JSON.parse(metadata.steps!);

/**
 * How many times further from the exact result than PyTorch's f32 ours may lie: we sum in other orders, and WGSL allows `exp` and `tanh`
 * several units in the last place where a math library takes one.
 */
const SLACK = 8;

/** One of the two models and what PyTorch made of it. */
class Golden {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }

  has(name: string): boolean {
    return tensors.has(`${this.name}.${name}`);
  }

  values(name: string): Float32Array {
    return tensors.get(`${this.name}.${name}`)!.data as Float32Array;
  }

  batch(): [tokens: Tensor, context: Tensor, targets: Tensor] {
    return ["tokens", "context", "targets"].map((name) => fromHost(tensors.get(`${this.name}.${name}`)!)) as [Tensor, Tensor, Tensor];
  }

  parameters(): StateDict {
    const prefix = `${this.name}.parameter.`;
    return new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, t]) => [name.slice(prefix.length), t]));
  }

  /** A new model with PyTorch's parameters. */
  model(): Transformer {
    const model = new Transformer(configs[this.name]!);
    model.loadStateDict(this.parameters());
    return model;
  }

  /** Checks a result. `kind` says which rounding applies, in units of the largest element. */
  expect(actual: ArrayLike<number>, wanted: Float32Array, kind: string): void {
    const largest = wanted.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    expectClose(actual, wanted, SLACK * rounding[this.name]![kind]! * largest);
  }

  async expectLoss(loss: Tensor | null, name: string): Promise<void> {
    this.expect([await loss!.item()], this.values(name), "losses");
  }

  /** Checks something of each parameter, which the file has flat and one after another. */
  async expectEach(model: Transformer, name: string, of: (parameter: Tensor) => Tensor): Promise<void> {
    const wanted = this.values(name);
    let at = 0;
    for (const [parameter, p] of model.namedParameters()) {
      const counts = (_: number, i: number): boolean => !isKeyBias(parameter, i, model.config.nEmbd);
      this.expect([...(await of(p).data())].filter(counts), wanted.slice(at, at + p.size).filter(counts), name);
      at += p.size;
    }
    expect(at).toBe(wanted.length);
  }
}

/** Softmax does not see the keys' biases: their gradient is 0 but for rounding, which Adam, dividing it by its size, turns into steps. */
function isKeyBias(parameter: string, i: number, width: number): boolean {
  if (parameter.endsWith(".attn.c_attn.bias")) return i >= width && i < 2 * width;
  return parameter.endsWith(".cross_attn.c_attn_kv.bias") && i < width;
}

const optimizers: Record<string, (model: Transformer) => Optimizer> = {
  adamw: (model) => new AdamW(model.parameters(), { ...steps.adamw, weightDecay: steps.adamw.weight_decay }),
  sgd: (model) => new SGD(model.parameters(), { ...steps.sgd, weightDecay: steps.sgd.weight_decay }),
};

const devices = {
  "the adapter's own kernels": {},
  "portable kernels at WebGPU's default limits": { limits: "default", family: "portable" },
  "tile kernels at WebGPU's default limits": { limits: "default", family: "tile" },
} as const;

describe.each(Object.entries(devices))("with %s, the transformer", (_, options) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(options);
  });
  afterAll(() => device.destroy());

  describe.each(Object.keys(configs).map((name) => new Golden(name)))("agrees with PyTorch in the $name case", (golden) => {
    it("in logits and loss", async () => {
      const { logits, loss } = golden.model().forward(...golden.batch());
      golden.expect(await logits.data(), golden.values("logits"), "logits");
      await golden.expectLoss(loss, "loss");
    });

    it("in every module's output and, with all modules watched, which takes other kernels, the logits", async () => {
      const model = golden.model();
      const seen = watch(model);
      const { logits } = model.forward(...golden.batch());
      golden.expect(await logits.data(), golden.values("logits"), "logits");
      const recorded = [...tensors.keys()].filter((name) => name.startsWith(`${golden.name}.output.`));
      for (const name of recorded.map((full) => full.split(".output.")[1]!))
        golden.expect(await seen.get(name)!.data(), golden.values(`output.${name}`), "outputs");
    });

    it("in every activation that it has recorded, in a cache under PyTorch's names and TransformerLens's", async () => {
      const model = golden.model();
      const [tokens, context] = golden.batch();
      const { cache } = model.runWithCache(tokens, context, { namesFilter: "*" });
      for (const full of [...tensors.keys()].filter((key) => key.startsWith(`${golden.name}.output.`))) {
        const path = full.split(".output.")[1]!;
        const value = cache.get(model.hookSites.find(path).name);
        expect(cache.get(path)).toBe(value);
        golden.expect(await value.data(), golden.values(`output.${path}`), "outputs");
      }
    });

    it("in the gradient of every parameter, watched or not", async () => {
      for (const watched of [false, true]) {
        const model = golden.model();
        if (watched) watch(model);
        model.forward(...golden.batch()).loss!.backward();
        await golden.expectEach(model, "gradients", (p) => p.grad!);
      }
    });

    it("in the loss with a module's output zeroed, and with the text zeroed", async () => {
      const model = golden.model();
      const zero = model.getSubmodule("transformer.h.0.mlp.c_proj").registerForwardHook((_module, _inputs, y) => (y as Tensor).mul(0));
      await golden.expectLoss(model.forward(...golden.batch()).loss, "loss_without_mlp");
      zero.remove();
      await golden.expectLoss(model.forward(...golden.batch(), { ablateCrossAttention: true }).loss, "loss_without_text");
    });

    it.each(Object.keys(optimizers))("in five steps of %s, eager and captured", async (name) => {
      for (const captured of [false, true]) {
        const model = golden.model();
        const optimizer = optimizers[name]!(model);
        const step = (tokens: Tensor, context: Tensor, targets: Tensor): Tensor => {
          optimizer.zeroGrad();
          const { loss } = model.forward(tokens, context, targets);
          loss!.backward();
          optimizer.step();
          return loss!;
        };
        const run = captured ? capture(step) : step;
        const losses: number[] = [];
        for (let i = 0; i < steps.count; i++) losses.push(await (await run(...golden.batch())).item());
        golden.expect(losses, golden.values(`${name}.losses`), "losses");
        if (golden.has(`${name}.parameters`)) await golden.expectEach(model, `${name}.parameters`, (p) => p);
      }
    });
  });
});

describe("the comparison with PyTorch", () => {
  it("notices one part in ten thousand too much in any module", async () => {
    using _device = await openDevice();
    const golden = new Golden("odd");
    const model = golden.model();
    for (const [name, module] of model.namedModules()) {
      // Not whole blocks, nor what only a normalisation sees: it takes a common factor out again.
      if (name === "" || /h(\.\d+)?$|\.hook_\w+_in$/.test(name)) continue;
      const scaled = module.registerForwardHook((_module, _inputs, output) => (output as Tensor).mul(1.0001));
      const { logits } = model.forward(...golden.batch());
      const data = await logits.data();
      expect(() => golden.expect(data, golden.values("logits"), "logits"), name).toThrow("outside");
      scaled.remove();
    }
  });
});

/** What each module of a model gives from now on, by name. */
function watch(model: Transformer): Map<string, Tensor> {
  const seen = new Map<string, Tensor>();
  for (const [name, module] of model.namedModules()) {
    module.registerForwardHook((_module, _inputs, output) => {
      seen.set(name, output as Tensor);
      return undefined;
    });
  }
  return seen;
}
