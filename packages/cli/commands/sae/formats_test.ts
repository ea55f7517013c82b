import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSae, readSaeFile, type SaeConfig } from "@cursive/sae";
import { type HostTensor, openDevice, type StateDict, type TorchValue } from "@cursive/tensor";
import { torchFile } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unseal } from "../../run/checkpoint.ts";
import { encodeSae, type SaeOrigin } from "../../sae/save_sae.ts";
import { type TemporaryFolder, temporaryFolder } from "../../testing/mini.ts";
import { runInProcess } from "../../testing/run_in_process.ts";

let folder: TemporaryFolder;
const inFolder = (...names: string[]): string => join(folder.path, ...names);
const config: SaeConfig = { architecture: "topk", dIn: 4, dSae: 6, k: 2 };
const origin = { hook: "blocks.0.hook_mlp_out", checkpoint: "", run: null, trainedBy: "one", steps: 3, rows: 24 };

/** What an autoencoder's file holds. */
function held(path: string): { tensors: StateDict; config: SaeConfig; origin: SaeOrigin } {
  const { tensors, metadata } = unseal(readFileSync(path));
  return { tensors, config: JSON.parse(metadata.config!), origin: JSON.parse(metadata.origin!) };
}

beforeAll(async () => {
  folder = temporaryFolder();
  using _device = await openDevice();
  writeFileSync(inFolder("sae.safetensors"), encodeSae(await createSae(config).stateDict(), { config, origin }));
});
afterAll(() => folder[Symbol.dispose]());

describe("sae export and sae import", () => {
  it("give an autoencoder back by way of SAELens's directory", async () => {
    const exported = await runInProcess("sae", "export", inFolder("sae.safetensors"), "--out", inFolder("lens"));
    expect([exported.code, exported.stderr]).toEqual([0, ""]);
    const cfg = JSON.parse(readFileSync(inFolder("lens", "cfg.json"), "utf8"));
    expect(cfg).toMatchObject({ architecture: "topk", k: 2, metadata: { hook_name: origin.hook, model_name: "cursive-transformer" } });
    const out = inFolder("back.safetensors");
    const imported = await runInProcess("sae", "import", inFolder("lens"), "--out", out, "--json");
    expect(JSON.parse(imported.stdout)).toMatchObject({ event: "sae import", format: "saelens", architecture: "topk", hook: origin.hook });
    expect(held(out).tensors).toEqual(held(inFolder("sae.safetensors")).tensors);
    expect(held(out).config).toMatchObject(config);
    expect(held(out).origin).toMatchObject({ hook: origin.hook, trainedBy: "one", rows: 24 });
  });

  it("write and read our own file", async () => {
    const out = inFolder("own.safetensors");
    expect((await runInProcess("sae", "export", inFolder("sae.safetensors"), "--to", "cursive", "--out", out)).code).toBe(0);
    expect(readSaeFile(readFileSync(out)).about).toMatchObject({ name: "one", hookSite: origin.hook, tokensTrained: 24 });
    expect((await runInProcess("sae", "import", out, "--out", inFolder("own2.safetensors"))).stdout).toContain("from cursive");
  });

  it("read dictionary_learning's folder, which says no hook of ours", async () => {
    const tensor = (...shape: number[]): HostTensor => ({
      shape,
      dtype: "f32",
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5),
    });
    const state = { "encoder.weight": tensor(6, 4), "encoder.bias": tensor(6), "decoder.weight": tensor(4, 6), bias: tensor(4) };
    mkdirSync(inFolder("trainer_0"));
    writeFileSync(inFolder("trainer_0", "ae.pt"), torchFile(new Map<string, TorchValue>(Object.entries(state))));
    const out = inFolder("dl.safetensors");
    const missing = await runInProcess("sae", "import", inFolder("trainer_0"), "--out", out);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      "error: Expected --hook, as the file does not say whose activations the autoencoder takes, but found none\n",
    ]);
    expect((await runInProcess("sae", "import", inFolder("trainer_0"), "--hook", origin.hook, "--out", out)).code).toBe(0);
    expect(held(out).config).toMatchObject({ architecture: "standard", dIn: 4, dSae: 6 });
  });

  it("answer what they cannot take with one line and exit code 2", async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await runInProcess("sae", ...args);
      expect(code).toBe(2);
      expect(stderr.trimEnd()).not.toContain("\n");
      return stderr;
    };
    writeFileSync(inFolder("cut.pt"), torchFile(1).slice(0, 40));
    const out = ["--out", inFolder("never.safetensors")];
    expect(await refused("import", inFolder("cut.pt"), ...out)).toContain("Expected a whole zip");
    expect(await refused("import", inFolder("nowhere"), ...out)).toContain("found no such file or folder");
    expect(await refused("import", folder.path, ...out)).toContain("--from says whose it is");
    expect(await refused("import", folder.path, "--from", "sparsify", ...out)).toContain("Expected cfg.json of an autoencoder of sparsify");
    expect(await refused("export", inFolder("sae.safetensors"), "--unit-decoder", "--out", inFolder("unit"))).toContain("found topk");
  });
});
