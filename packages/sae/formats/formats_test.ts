import {
  type Device,
  type HostTensor,
  openDevice,
  readSafetensors,
  type StateDict,
  TensorError,
  type TorchValue,
  tensor,
  writeSafetensors,
} from "@cursive/tensor";
import { torchFile } from "@cursive/tensor/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae } from "../create_sae.ts";
import { randomSaeFile, randomTensor, smallConfigs } from "../testing/sae_files.ts";
import { readDictionaryLearning } from "./dictionary_learning.ts";
import { readOpenAi } from "./openai.ts";
import { readSae, readSaeFile, writeSae, writeSaeFile } from "./own.ts";
import { foldActivationScale, openSaeFile, type SaeAbout, type SaeFile, scalarTensor, toSaeFile, transposedTensor } from "./sae_file.ts";
import { SaeFormatError } from "./sae_format_error.ts";
import { readSaeLens, type SaeLensFiles, writeSaeLens } from "./saelens.ts";
import { readSparsify } from "./sparsify.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const rows = randomTensor([7, 5], 99);
const about: SaeAbout = { name: "s", hookSite: "blocks.0.hook_mlp_out", modelName: "cursive", modelHash: "ab12", tokensTrained: 8_000_000 };
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const named = (file: SaeFile, name: string): HostTensor => file.state.get(name)!;

/** x̂ of rows `[7, 5]`, which a scale may stand before and after. */
async function reconstruct(file: SaeFile, x: HostTensor = rows): Promise<Float32Array> {
  const sae = openSaeFile(file);
  const scale = file.about.activationScale ?? 1;
  const input = tensor(x.data as Float32Array, { shape: x.shape }).mul(scale);
  return (await sae
    .decode(sae.encode(input))
    .mul(1 / scale)
    .data()) as Float32Array;
}

/** Equal up to some roundings of f32. */
function expectNear(found: ArrayLike<number>, want: ArrayLike<number>): void {
  const greatest = Array.from(want).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  expect(greatest).toBeGreaterThan(0.1);
  for (let i = 0; i < want.length; i++) expect(Math.abs(found[i]! - want[i]!) / greatest).toBeLessThan(1e-5);
}

/** x̂ by another program's formula: features of a row from W·(x − shift), weights [out, in], then their decoding. */
function byFormula(parts: {
  readonly encoder: HostTensor;
  readonly decoder: HostTensor;
  readonly shift?: HostTensor;
  readonly features: (product: readonly number[]) => readonly number[];
  readonly bias: HostTensor;
}): number[] {
  const { encoder, decoder, shift, features, bias } = parts;
  const [F, D] = encoder.shape as [number, number];
  return Array.from({ length: 7 }, (_, row) => {
    const x = Array.from({ length: D }, (_, d) => rows.data[row * D + d]! - (shift?.data[d] ?? 0));
    const f = features(Array.from({ length: F }, (_, i) => x.reduce((sum, v, d) => sum + v * encoder.data[i * D + d]!, 0)));
    return Array.from({ length: D }, (_, d) => f.reduce((sum, v, i) => sum + v * decoder.data[d * F + i]!, bias.data[d]!));
  }).flat();
}

const relu = (v: number): number => Math.max(0, v);
function topk(values: readonly number[], k: number): number[] {
  const least = [...values].sort((a, b) => b - a)[k - 1]!;
  return values.map((v) => (v >= least ? v : 0));
}

describe("our own files", () => {
  it.each(smallConfigs)("give an autoencoder back, with all that is known of it: $architecture", async (config) => {
    const sae = openSaeFile(randomSaeFile(config));
    const bytes = await writeSae(sae, about);
    const read = readSae(bytes);
    expect(read.about).toEqual(about);
    expect(read.sae.config).toEqual(sae.config);
    expect(await read.sae.stateDict()).toEqual(await sae.stateDict());
    expect(await writeSae(read.sae, read.about)).toEqual(bytes);
  });

  it("read what `sae train` saved", () => {
    const { config, state } = randomSaeFile(smallConfigs[2]!);
    const origin = { hook: "blocks.0.hook_mlp_out", rows: 12, trainedBy: "sae-001" };
    const bytes = writeSafetensors(state, {
      metadata: { format: "cursive-sae", config: JSON.stringify(config), origin: JSON.stringify(origin) },
    });
    const file = readSaeFile(bytes);
    expect(file.about).toEqual({ name: "sae-001", hookSite: origin.hook, tokensTrained: 12, foreign: { cursive: origin } });
  });

  it("refuse what is no autoencoder, in one line", () => {
    const file = randomSaeFile(smallConfigs[0]!);
    expect(() => readSaeFile(writeSafetensors(file.state))).toThrow(
      new SaeFormatError("Expected an autoencoder's file but found another safetensors file"),
    );
    expect(() => writeSaeFile({ ...file, state: new Map([...file.state].slice(1)) })).toThrow(
      "Expected W_enc [5, 9] of a standard autoencoder but found none",
    );
    const wide = { ...file, config: { ...file.config, dSae: 1e9 } };
    expect(() => openSaeFile(wide)).toThrow("Expected W_enc to be f32 [5, 1000000000] but found f32 [5, 9]");
    const broken = {
      ...file,
      state: new Map([...file.state, ["b_dec", { shape: [5], dtype: "f32", data: new Float32Array(5).fill(Number.NaN) }] as const]),
    };
    expect(() => writeSaeFile(broken as SaeFile)).toThrow("Expected finite numbers in b_dec but found others");
  });
});

describe("folding", () => {
  it.each(smallConfigs)("leaves reconstructions as they are: $architecture", async (config) => {
    const scaled: SaeFile = { ...randomSaeFile(config), about: { activationScale: 0.37 } };
    const folded = foldActivationScale(scaled);
    expect(folded.about.activationScale).toBeUndefined();
    expectNear(await reconstruct(folded), await reconstruct(scaled));
    const other = readSaeLens(writeSaeLens(scaled));
    expectNear(await reconstruct(other), await reconstruct(scaled));
    if (config.architecture === "topk") return;
    const unit = readSaeLens(writeSaeLens(scaled, { unitDecoder: true }));
    const W_dec = named(unit, "W_dec").data;
    expect(Math.hypot(...W_dec.subarray(0, 5))).toBeCloseTo(1, 5);
    expectNear(await reconstruct(unit), await reconstruct(scaled));
  });

  it("refuses to scale the rows of a TopK's decoder", () => {
    expect(() => writeSaeLens(randomSaeFile(smallConfigs[2]!), { unitDecoder: true })).toThrow(SaeFormatError);
  });
});

describe("SAELens", () => {
  it.each(smallConfigs)("is written, read and written again to the same bytes: $architecture", async (config) => {
    const first = writeSaeLens({ ...randomSaeFile(config), about: { ...about, activationScale: 2 } });
    const second = writeSaeLens(readSaeLens(first));
    expect(new TextDecoder().decode(second.cfg)).toBe(new TextDecoder().decode(first.cfg));
    expect(second.weights).toEqual(first.weights);
    expect(readSaeLens(first).about).toMatchObject(about);
  });

  it("has their fields, names and shapes", () => {
    const { cfg, weights } = writeSaeLens({ ...randomSaeFile(smallConfigs[3]!), about });
    expect(JSON.parse(new TextDecoder().decode(cfg))).toMatchObject({
      architecture: "jumprelu",
      d_in: 5,
      d_sae: 9,
      dtype: "float32",
      device: "cpu",
      apply_b_dec_to_input: true,
      normalize_activations: "none",
      reshape_activations: "none",
      metadata: { model_name: "cursive", hook_name: "blocks.0.hook_mlp_out", cursive: { config: { architecture: "batchtopk", k: 2 } } },
    });
    const shapes = [...readSafetensors(weights).tensors].map(([name, { shape }]) => `${name} [${shape}]`);
    expect(shapes.sort()).toEqual(["W_dec [9,5]", "W_enc [5,9]", "b_dec [5]", "b_enc [9]", "threshold [9]"]);
  });

  it.each(["batchtopk", "matryoshka"])("gets %s as JumpReLU with one threshold, which computes the same", async (architecture) => {
    const file = randomSaeFile(smallConfigs.find((config) => config.architecture === architecture)!);
    const read = readSaeLens(writeSaeLens(file));
    expect(read.config).toMatchObject({ architecture: "jumprelu", dIn: 5, dSae: 9 });
    expect(new Set(named(read, "threshold").data)).toEqual(new Set(named(file, "topk_threshold").data));
    expectNear(await reconstruct(read), await reconstruct(file));
  });

  it("keeps fields that mean nothing here, in both places", () => {
    const { cfg, weights } = theirs({
      architecture: "standard",
      new_field: [1, { a: null }],
      metadata: { hook_name: "x", prepend_bos: true, l0: 12.5 },
    });
    const again = JSON.parse(new TextDecoder().decode(writeSaeLens(readSaeLens({ cfg, weights })).cfg));
    expect(again).toMatchObject({ new_field: [1, { a: null }], metadata: { hook_name: "x", prepend_bos: true, l0: 12.5 } });
  });

  it("reads TopK that chooses by activation and decoder norm: with the norms folded", async () => {
    const fields = { architecture: "topk", k: 3, rescale_acts_by_decoder_norm: true, metadata: {} };
    const files = theirs(fields);
    const { tensors } = readSafetensors(files.weights);
    const norms = Array.from({ length: 9 }, (_, f) => Math.hypot(...tensors.get("W_dec")!.data.subarray(5 * f, 5 * f + 5)));
    const bias = tensors.get("b_enc")!.data;
    const want = byFormula({
      encoder: transposedTensor(tensors.get("W_enc")!),
      decoder: transposedTensor(tensors.get("W_dec")!),
      shift: tensors.get("b_dec")!,
      features: (z) =>
        topk(
          z.map((v, f) => relu((v + bias[f]!) * norms[f]!)),
          3,
        ).map((v, f) => v / norms[f]!),
      bias: tensors.get("b_dec")!,
    });
    expectNear(await reconstruct(readSaeLens(files)), want);
  });

  it("is not made to work by sizes that the file only claims", () => {
    const empty = { shape: [2 ** 40, 0], dtype: "f32", data: new Float32Array(0) } as const;
    const state = new Map([...randomSaeFile(smallConfigs[2]!).state, ["W_dec", empty] as const]);
    const fields = { architecture: "topk", k: 3, rescale_acts_by_decoder_norm: true, metadata: {} };
    expect(() => readSaeLens(theirs(fields, state))).toThrow("Expected W_dec [9, 5] but found [1099511627776, 0]");
    expect(() => transposedTensor(empty)).toThrow(SaeFormatError);
  });

  it("reads logarithms of thresholds, and configurations from before version 6", () => {
    const file = randomSaeFile(smallConfigs[4]!);
    const logs: HostTensor = { ...named(file, "threshold"), data: (named(file, "threshold").data as Float32Array).map(Math.log) };
    const state = new Map([...[...file.state].filter(([name]) => name !== "threshold"), ["log_threshold", logs] as const]);
    const read = readSaeLens(theirs({ architecture: "jumprelu", metadata: {} }, state));
    for (const [i, v] of named(read, "threshold").data.entries()) expect(v).toBeCloseTo(named(file, "threshold").data[i]!, 6);
    const old = {
      hook_point: "blocks.0.hook_mlp_out",
      model_name: "m",
      activation_fn_str: "topk",
      activation_fn_kwargs: { k: 4 },
      normalize_activations: false,
    };
    const upgraded = readSaeLens(theirs(old));
    expect(upgraded.config).toMatchObject({ architecture: "topk", k: 4 });
    expect(upgraded.about).toMatchObject({ hookSite: "blocks.0.hook_mlp_out", modelName: "m" });
  });

  it("takes the scale of a checkpoint's activation_scaler.json", async () => {
    const files = theirs({ architecture: "standard", normalize_activations: "expected_average_only_in", metadata: {} });
    expect(() => readSaeLens(files)).toThrow("without its scaling_factor in activation_scaler.json");
    expect(readSaeLens({ ...files, activationScaler: json({ scaling_factor: 0.25 }) }).about.activationScale).toBe(0.25);
  });

  it("refuses by name what ours do not compute", () => {
    const refused =
      (fields: object): (() => SaeFile) =>
      () =>
        readSaeLens(theirs({ architecture: "standard", metadata: {}, ...fields }));
    expect(refused({ architecture: "matching_pursuit" })).toThrow('found architecture "matching_pursuit": ours compute no such thing');
    expect(refused({ architecture: "transcoder" })).toThrow('"transcoder"');
    expect(refused({ reshape_activations: "hook_z" })).toThrow('Expected reshape_activations none but found "hook_z"');
    expect(refused({ normalize_activations: "constant_norm_rescale" })).toThrow('found "constant_norm_rescale", which ours cannot do');
    expect(refused({ d_sae: 8 })).toThrow("Expected d_sae 9, the weights', but found 8 in cfg.json");
    expect(refused({ d_in: "5" })).toThrow('Expected d_in in cfg.json to be a positive whole number but found "5"');
    expect(refused({ metadata: undefined, activation_fn_str: "tanh-relu" })).toThrow('found "tanh-relu"');
  });

  /** A directory of theirs with the weights of a plain autoencoder, unless others are given. */
  function theirs(fields: object, state: StateDict = randomSaeFile(smallConfigs[0]!).state): SaeLensFiles {
    return { cfg: json({ d_in: 5, d_sae: 9, ...fields }), weights: writeSafetensors(state) };
  }
});

const linear = { "encoder.weight": randomTensor([9, 5], 1), "decoder.weight": randomTensor([5, 9], 2) };
const biasF = randomTensor([9], 3, 0.3);
const biasD = randomTensor([5], 4, 0.3);
const ae = (tensors: Record<string, TorchValue>): Uint8Array => torchFile(new Map(Object.entries(tensors)));
const base = { encoder: linear["encoder.weight"], decoder: linear["decoder.weight"], bias: biasD };
const biased = (z: readonly number[]): number[] => z.map((v, f) => relu(v + biasF.data[f]!));

describe("dictionary_learning", () => {
  const own = { W_enc: randomTensor([5, 9], 1), W_dec: randomTensor([9, 5], 2), b_enc: biasF, b_dec: biasD };
  const transposed = { encoder: transposedTensor(own.W_enc), decoder: transposedTensor(own.W_dec), bias: biasD };
  const above = (threshold: (f: number) => number) => (z: readonly number[]) => biased(z).map((v, f) => (v > threshold(f) ? v : 0));
  const threshold = { ...biasF, data: (biasF.data as Float32Array).map(Math.abs) };
  const r_mag = randomTensor([9], 6, 0.3);
  const mag = randomTensor([9], 7, 0.3);
  const gated = (z: readonly number[]): number[] =>
    z.map((v, f) => (v + biasF.data[f]! > 0 ? relu(v * Math.exp(r_mag.data[f]!) + mag.data[f]!) : 0));
  const classes: Record<string, { readonly tensors: Record<string, TorchValue>; readonly formula: Parameters<typeof byFormula>[0] }> = {
    AutoEncoder: { tensors: { ...linear, "encoder.bias": biasF, bias: biasD }, formula: { ...base, shift: biasD, features: biased } },
    AutoEncoderNew: { tensors: { ...linear, "encoder.bias": biasF, "decoder.bias": biasD }, formula: { ...base, features: biased } },
    AutoEncoderTopK: {
      tensors: { ...linear, "encoder.bias": biasF, b_dec: biasD, k: { shape: [], dtype: "i32", data: Int32Array.of(3) } },
      formula: { ...base, shift: biasD, features: (z) => topk(biased(z), 3) },
    },
    BatchTopKSAE: {
      tensors: { ...linear, "encoder.bias": biasF, b_dec: biasD, k: scalarTensor(3), threshold: scalarTensor(0.4) },
      formula: { ...base, shift: biasD, features: above(() => 0.4) },
    },
    GatedAutoEncoder: {
      tensors: { ...linear, gate_bias: biasF, mag_bias: mag, r_mag, decoder_bias: biasD },
      formula: { ...base, shift: biasD, features: gated },
    },
    JumpReluAutoEncoder: { tensors: { ...own, threshold }, formula: { ...transposed, features: above((f) => threshold.data[f]!) } },
    MatryoshkaBatchTopKSAE: {
      tensors: {
        ...own,
        k: scalarTensor(3),
        threshold: scalarTensor(0.4),
        group_sizes: { shape: [2], dtype: "i32", data: Int32Array.of(4, 5) },
      },
      formula: { ...transposed, shift: biasD, features: above(() => 0.4) },
    },
  };

  it.each(Object.keys(classes))("reads %s, named or by its tensors, and computes what it does", async (name) => {
    const { tensors, formula } = classes[name]!;
    const config = json({ trainer: { dict_class: name, activation_dim: 5, dict_size: 9, submodule_name: "mlp", lm_name: "m" } });
    const file = readDictionaryLearning({ ae: ae(tensors), config });
    expect(file.about).toMatchObject({ hookSite: "mlp", modelName: "m" });
    expectNear(await reconstruct(file), byFormula(formula));
    expect(readDictionaryLearning({ ae: ae(tensors) })).toEqual({ ...file, about: {} });
  });

  it("adds up the groups of Matryoshka to widths", () => {
    expect(readDictionaryLearning({ ae: ae(classes.MatryoshkaBatchTopKSAE!.tensors) }).config).toMatchObject({ widths: [4, 9] });
  });

  it("refuses other classes, other sizes and transposed weights", () => {
    const { tensors } = classes.AutoEncoder!;
    const config = (trainer: object): Uint8Array => json({ trainer });
    expect(() => readDictionaryLearning({ ae: ae(tensors), config: config({ dict_class: "CrossCoder" }) })).toThrow('found "CrossCoder"');
    expect(() => readDictionaryLearning({ ae: ae(tensors), config: config({ dict_size: 10 }) })).toThrow(
      "Expected dict_size 9, the weights', but found 10",
    );
    expect(() => readDictionaryLearning({ ae: ae({ ...tensors, "decoder.weight": own.W_dec }) })).toThrow(
      "Expected W_dec to be f32 [9, 5] but found f32 [5, 9]",
    );
    expect(() => readDictionaryLearning({ ae: ae({ weight: biasF }) })).toThrow(SaeFormatError);
  });
});

describe("sparsify", () => {
  const state: StateDict = new Map([
    ["encoder.weight", base.encoder],
    ["encoder.bias", biasF],
    ["W_dec", transposedTensor(base.decoder)],
    ["b_dec", biasD],
  ]);
  const read = (fields: object): SaeFile =>
    readSparsify({ cfg: json({ activation: "topk", k: 3, d_in: 5, ...fields }), weights: writeSafetensors(state) });

  it("reads its names and transposes, and computes what it does", async () => {
    const want = byFormula({ ...base, shift: biasD, features: (z) => topk(biased(z), 3) });
    expectNear(await reconstruct(read({ num_latents: 0, multi_topk: false })), want);
  });

  it("refuses transcoders, skips and groups by name", () => {
    expect(() => read({ transcode: true })).toThrow("found transcode");
    expect(() => read({ skip_connection: true })).toThrow("found skip_connection");
    expect(() => read({ activation: "groupmax" })).toThrow('found "groupmax"');
    expect(() => read({ k: undefined })).toThrow("Expected k in cfg.json but found none");
  });
});

describe("OpenAI", () => {
  const dict = {
    pre_bias: biasD,
    latent_bias: biasF,
    ...linear,
    stats_last_nonzero: { shape: [9], dtype: "i32", data: new Int32Array(9) } as const,
  };
  const settings = (k: number, postact_fn = "ReLU"): TorchValue =>
    new Map<string, TorchValue>([
      ["k", k],
      ["postact_fn", postact_fn],
    ]);

  it("reads ReLU and TopK, which normalises its rows, alone or in a dict", async () => {
    const plain = readOpenAi(ae({ ...dict, activation: "ReLU" }));
    expect(plain.about).toEqual({});
    expectNear(await reconstruct(plain), byFormula({ ...base, shift: biasD, features: biased }));
    const sparse = readOpenAi(
      ae({ state_dict: new Map<string, TorchValue>(Object.entries({ ...dict, activation: "TopK", activation_state_dict: settings(3) })) }),
    );
    expect(sparse.about).toEqual({ inputNormalization: "layer-norm" });
    expectNear(await reconstruct(sparse), byFormula({ ...base, shift: biasD, features: (z) => topk(biased(z), 3) }));
    expect(JSON.parse(new TextDecoder().decode(writeSaeLens(sparse).cfg)).normalize_activations).toBe("layer_norm");
  });

  it("refuses other activation functions by name", () => {
    expect(() => readOpenAi(ae({ ...dict, activation: "Identity" }))).toThrow('found "Identity"');
    expect(() => readOpenAi(ae({ ...dict, activation: "TopK", activation_state_dict: settings(3, "Identity") }))).toThrow(
      'TopK with k 3 and "Identity"',
    );
    expect(() => readOpenAi(ae({ weight: biasF }))).toThrow("Expected a dict with pre_bias");
  });
});

describe("every reader", () => {
  const saelens = writeSaeLens(randomSaeFile(smallConfigs[2]!));
  const sparsifyWeights = writeSafetensors(
    new Map([
      ["encoder.weight", base.encoder],
      ["encoder.bias", biasF],
      ["W_dec", transposedTensor(base.decoder)],
      ["b_dec", biasD],
    ]),
  );
  const readers: Record<string, { readonly files: readonly Uint8Array[]; readonly read: (...files: Uint8Array[]) => SaeFile }> = {
    own: { files: [writeSaeFile(randomSaeFile(smallConfigs[3]!))], read: (bytes) => readSaeFile(bytes!) },
    saelens: { files: [saelens.cfg, saelens.weights], read: (cfg, weights) => readSaeLens({ cfg: cfg!, weights: weights! }) },
    dictionary_learning: {
      files: [
        ae({ ...linear, "encoder.bias": biasF, b_dec: biasD, k: 3 }),
        json({ trainer: { dict_class: "AutoEncoderTopK", dict_size: 9 } }),
      ],
      read: (bytes, config) => readDictionaryLearning({ ae: bytes!, config: config! }),
    },
    sparsify: {
      files: [json({ activation: "topk", k: 3 }), sparsifyWeights],
      read: (cfg, weights) => readSparsify({ cfg: cfg!, weights: weights! }),
    },
    openai: { files: [ae({ pre_bias: biasD, latent_bias: biasF, ...linear, activation: "ReLU" })], read: (bytes) => readOpenAi(bytes!) },
  };

  it.each(Object.keys(readers))("answers cut-off and changed files with an autoencoder or an error of one line: %s", (name) => {
    const { files, read } = readers[name]!;
    const change = fc.record({
      file: fc.nat(1),
      at: fc.nat(),
      byte: fc.oneof(fc.nat(255), fc.constantFrom(...'{}[]",:0-e'.split("").map((c) => c.charCodeAt(0)))),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), fc.option(fc.tuple(fc.nat(1), fc.nat())), (changes, cut) => {
        const broken = files.map((bytes) => Uint8Array.from(bytes));
        for (const { file, at, byte } of changes) {
          const bytes = broken[file % broken.length]!;
          bytes[at % Math.min(bytes.length, 600)] = byte;
        }
        if (cut)
          broken[cut[0] % broken.length] = broken[cut[0] % broken.length]!.slice(0, cut[1] % (broken[cut[0] % broken.length]!.length + 1));
        try {
          const file = read(...broken);
          expect(Math.max(...[...file.state.values()].map(({ data }) => data.length))).toBeLessThan(1000);
        } catch (error) {
          expect(error).toBeInstanceOf(SaeFormatError);
          expect(error).toBeInstanceOf(TensorError);
          expect((error as Error).message).toMatch(/^[^\n]{1,400}$/);
        }
      }),
      { numRuns: 300 },
    );
  });
});

it("an autoencoder in training becomes a file with all of its configuration", async () => {
  const sae = createSae({ architecture: "matryoshka", dIn: 5, dSae: 8, k: 2, seed: 3 });
  const file = await toSaeFile(sae, about);
  expect(file.config).toMatchObject({ architecture: "matryoshka", k: 2, seed: 3, widths: [1, 2, 4, 8], thresholdRate: 0.01 });
  expect([...file.state.keys()].sort()).toEqual(["W_dec", "W_enc", "b_dec", "b_enc", "topk_threshold"]);
});
