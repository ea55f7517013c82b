import { readFileSync } from "node:fs";
import {
  type Device,
  fromHost,
  type HostTensor,
  openDevice,
  readSafetensors,
  type StateDict,
  TorchFileError,
  type TorchValue,
} from "@cursive/tensor";
import { torchFile } from "@cursive/tensor/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadReferenceCheckpoint, readReferenceCheckpoint, referenceTokenizer, referenceTrainerState } from "./reference_checkpoint.ts";
import { Transformer, type TransformerConfig } from "./transformer.ts";

const { tensors, metadata } = readSafetensors(readFileSync(new URL("testing/golden.safetensors", import.meta.url)));
const oddConfig: TransformerConfig = JSON.parse(metadata.configs!).odd;
const oddParameters: StateDict = new Map(
  [...tensors].filter(([name]) => name.startsWith("odd.parameter.")).map(([name, t]) => [name.slice("odd.parameter.".length), t]),
);
const tiny: TransformerConfig = { nLayer: 1, nHead: 2, nEmbd: 4, blockSize: 6, contextBlockSize: 5, vocabSize: 455, contextVocabSize: 72 };

/** A file as the original saves it, with its causal masks. */
function savedBy(model: StateDict, rest: readonly (readonly [string, TorchValue])[] = []): Uint8Array {
  const mask: HostTensor = { shape: [1, 1, 2, 2], dtype: "f32", data: Float32Array.of(1, 0, 1, 1) };
  const state = new Map<string, TorchValue>(
    [...model].flatMap(([name, t]) =>
      name.endsWith("0.attn.c_attn.weight")
        ? [
            ["transformer.h.0.attn.bias", mask],
            [name, t],
          ]
        : [[name, t]],
    ) as [string, TorchValue][],
  );
  return torchFile(new Map<string, TorchValue>([["model_state_dict", state], ...rest]));
}

/** AdamW's state after some steps, each moment filled with its own number. */
function adamW(model: StateDict, steps: (i: number) => number = () => 7): TorchValue {
  const filled = (like: HostTensor, value: number): HostTensor => ({ ...like, data: new Float32Array(like.data.length).fill(value) });
  const one = (value: number): HostTensor => ({ shape: [], dtype: "f32", data: Float32Array.of(value) });
  const state = [...model.values()].map(
    (p, i) =>
      [
        i,
        new Map<string, TorchValue>([
          ["step", one(steps(i))],
          ["exp_avg", filled(p, i)],
          ["exp_avg_sq", filled(p, i + 0.5)],
        ]),
      ] as const,
  );
  const group = new Map<string, TorchValue>([
    ["lr", 0.00333],
    ["betas", [0.9, 0.99]],
    ["params", state.map(([i]) => i)],
  ]);
  return new Map<string, TorchValue>([
    ["state", new Map(state)],
    ["param_groups", [group]],
  ]);
}

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

describe("readReferenceCheckpoint()", () => {
  it("reads sizes off the weights, leaves the masks out and takes the rest from the file", () => {
    const bytes = savedBy(oddParameters, [
      ["step", 4],
      ["best_loss", 1.25],
    ]);
    const { config, model, ...rest } = readReferenceCheckpoint(bytes, { nHead: 2 });
    expect(config).toEqual(oddConfig);
    expect([...model.keys()]).toEqual([...oddParameters.keys()]);
    expect(rest).toMatchObject({ step: 4, bestLoss: 1.25, optimizer: undefined, headsAssumed: false });
  });

  it("computes what PyTorch computed from the same weights", async () => {
    const { config, model: state } = readReferenceCheckpoint(savedBy(oddParameters), { config: { n_ctx_head: 2, n_layer: 2 } });
    const model = new Transformer(config);
    model.loadStateDict(state);
    const [tokens, context] = ["tokens", "context"].map((name) => fromHost(tensors.get(`odd.${name}`)!));
    const { logits } = model.forward(tokens!, context!);
    const want = tensors.get("odd.logits")!.data as Float32Array;
    const greatest = want.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const error = Float32Array.from(await logits.data()).reduce((most, v, i) => Math.max(most, Math.abs(v - want[i]!)), 0);
    expect(error / greatest).toBeLessThan(3e-6);
  });

  it("takes a bare state dict, and the original's four heads where nothing says how many", async () => {
    const state = await new Transformer({ ...tiny, nHead: 4 }).stateDict();
    const { config, headsAssumed } = readReferenceCheckpoint(torchFile(state));
    expect({ config, headsAssumed }).toEqual({ config: { ...tiny, nHead: 4 }, headsAssumed: true });
    expect(() => readReferenceCheckpoint(savedBy(oddParameters))).toThrow(
      new TorchFileError("Expected a number of heads that divides the width of 6 but found 4, the original's"),
    );
  });

  it("refuses a configuration of other sizes, and weights that are not the model's", () => {
    expect(() => readReferenceCheckpoint(savedBy(oddParameters), { nHead: 2, config: { block_size: 300 } })).toThrow(
      new TorchFileError("Expected block_size 11, the weights', but found 300 in the configuration"),
    );
    const changed = (name: string, tensor: HostTensor | undefined): Uint8Array => {
      const state = new Map(oddParameters);
      if (tensor) state.set(name, tensor);
      else state.delete(name);
      return savedBy(state);
    };
    const scalar: HostTensor = { shape: [], dtype: "f32", data: new Float32Array(1) };
    const read = (bytes: Uint8Array) => () => readReferenceCheckpoint(bytes, { nHead: 2 });
    expect(read(changed("transformer.ln_f.bias", undefined))).toThrow("found no transformer.ln_f.bias");
    expect(read(changed("transformer.ln_f.bias", scalar))).toThrow("Expected transformer.ln_f.bias to be f32 [6] but found f32 []");
    expect(read(changed("encoder.weight", scalar))).toThrow('found "encoder.weight" too');
    expect(read(changed("transformer.h.999999999.ln_1.bias", scalar))).toThrow(TorchFileError);
    expect(read(torchFile(new Map([["weight", scalar]])))).toThrow("found no table transformer.wte.weight");
    expect(read(torchFile([1, 2]))).toThrow("found no dict in the file");
  });

  it("makes no model larger than its file", () => {
    const wide = (name: string, shape: number[]): [string, HostTensor] => [
      `transformer.${name}.weight`,
      { shape, dtype: "f32", data: new Float32Array(0) },
    ];
    const state = new Map([wide("wte", [2 ** 30, 0]), wide("wpe", [2 ** 30, 0]), wide("wce", [2 ** 30, 0]), wide("wcpe", [2 ** 30, 0])]);
    expect(() => loadReferenceCheckpoint(torchFile(state))).toThrow(TorchFileError);
  });

  it("answers any missing or misshapen weight with a TorchFileError", () => {
    const names = [...oddParameters.keys()];
    // How many places and characters there are is read off these: another number of rows is another size, not a mistake.
    const sizeGivers = new Set(["wpe", "wcpe", "wce"].map((table) => `transformer.${table}.weight`));
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 3 }), (name, shape) => {
        const count = shape.reduce((product, size) => product * size, 1);
        const right = oddParameters.get(name)!.shape;
        fc.pre(shape.join() !== right.join());
        fc.pre(!(sizeGivers.has(name) && shape.length === 2 && shape[0]! > 0 && shape[1] === right[1]));
        const state = new Map(oddParameters).set(name, { shape, dtype: "f32", data: new Float32Array(count) });
        expect(() => readReferenceCheckpoint(torchFile(state), { nHead: 2 })).toThrow(TorchFileError);
      }),
      { numRuns: 50 },
    );
  });
});

describe("loadReferenceCheckpoint()", () => {
  it.each([
    [455, "polar-151", null],
    [525, "polar-220-word", 524],
  ])("chooses the tokenizer of %d tokens: %s", async (vocabSize, bins, wordToken) => {
    const state = await new Transformer({ ...tiny, vocabSize }).stateDict();
    const { model, tokenizer } = loadReferenceCheckpoint(savedBy(state), { nHead: 2 });
    expect([tokenizer.vocabSize, tokenizer.wordToken, tokenizer.toJSON().bins]).toEqual([vocabSize, wordToken, bins]);
    expect(await model.stateDict()).toEqual(state);
  });

  it("refuses vocabularies that the original never had", () => {
    expect(() => loadReferenceCheckpoint(savedBy(oddParameters), { nHead: 2 })).toThrow(
      new TorchFileError(
        "Expected a vocabulary of 455 (polar-151) or 525 (polar-220-word) but found 13: no tokenizer of the original has it",
      ),
    );
    expect(() => referenceTokenizer({ config: { ...tiny, contextVocabSize: 80 }, alphabet: "ab" })).toThrow(
      new TorchFileError("Expected embeddings of 3 characters, as the alphabet has with the padding, but found 80"),
    );
  });
});

describe("referenceTrainerState()", () => {
  it("gives every parameter its own moments, whatever the order of the file", async () => {
    const model = new Transformer(tiny);
    const state: StateDict = new Map([...(await model.stateDict())].reverse());
    const checkpoint = readReferenceCheckpoint(savedBy(state, [["optimizer_state_dict", adamW(state)]]), { nHead: 2 });
    const { step, optimizer } = referenceTrainerState(checkpoint, model);
    expect([step, optimizer.stepCount, optimizer.lr]).toEqual([7, 7, 0.00333]);
    const names = [...model.namedParameters()].map(([name]) => name);
    const places = [...state.keys()];
    for (const [i, name] of names.entries()) {
      expect(optimizer.moments.get(`exp_avg.${i}`)!.data[0]).toBe(places.indexOf(name));
      expect(optimizer.moments.get(`exp_avg_sq.${i}`)!.data[0]).toBe(places.indexOf(name) + 0.5);
    }
  });

  it("refuses what no run can go on from", async () => {
    const model = new Transformer(tiny);
    const state = await model.stateDict();
    const without = readReferenceCheckpoint(savedBy(state), { nHead: 2 });
    expect(() => referenceTrainerState(without, model)).toThrow("it was saved for sampling only");
    const torn = savedBy(state, [["optimizer_state_dict", adamW(state, (i) => (i === 3 ? 8 : 7))]]);
    expect(() => readReferenceCheckpoint(torn, { nHead: 2 })).toThrow("Expected one number of optimizer steps but found 7, 8");
  });
});
