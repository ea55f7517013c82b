import { type Device, HookError, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { seededIndices } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../testing/random_model.ts";
import type { Transformer } from "../transformer.ts";
import { activationPatch } from "./activation_patch.ts";
import { headSites, layerSites, namedSites } from "./patch_sites.ts";

const config = { nLayer: 2, nHead: 2, nEmbd: 8, blockSize: 12, contextBlockSize: 5, vocabSize: 11, contextVocabSize: 6 };
const [B, T, S] = [2, 7, 5];

let device: Device;
let model: Transformer;
let clean: { tokens: Tensor; context: Tensor; targets: Tensor };
let otherText: Tensor;
beforeAll(async () => {
  device = await openDevice();
  const ids = (seed: number, shape: number[], n: number): Tensor => tensor(Int32Array.from(seededIndices(seed, shape, n).data), { shape });
  clean = { tokens: ids(1, [B, T], 11), context: ids(2, [B, S], 6), targets: ids(3, [B, T], 11) };
  otherText = ids(4, [B, S], 6);
  model = randomModel(config, 1);
});
afterAll(() => device.destroy());

const lossOf = async (context: Tensor): Promise<number> => model.forward(clean.tokens, context, clean.targets).loss!.item();

describe("activationPatch", () => {
  it("brings everything back where everything runs through the patch, and nothing where the runs are equal", async () => {
    const corrupted = { ...clean, context: otherText };
    const sites = namedSites("blocks.1.hook_resid_post", "hook_embed", "hook_embed_c");
    const result = await activationPatch(model, { clean, corrupted, sites });
    expect([result.clean, result.corrupted]).toEqual([await lossOf(clean.context), await lossOf(otherText)]);
    expect(result.clean).not.toBe(result.corrupted);
    expect(result.grid.axes).toEqual([{ name: "site", labels: ["hook_embed_c", "hook_embed", "blocks.1.hook_resid_post"] }]);
    expect(Array.from(result.recovered)).toEqual([1, 0, 1]); // all of the text; the strokes, which are the same; all of the output
    expect([...model.namedModules()].some(([, module]) => module.isHooked)).toBe(false);
  });

  it("patches one head, as replacing that head's part by hand does", async () => {
    const corrupted = { ...clean, context: otherText };
    const result = await activationPatch(model, { clean, corrupted, sites: headSites({ attention: "cross_attn" }) });
    expect([result.shape, result.grid.axes.map(({ name }) => name)]).toEqual([
      [2, 2],
      ["layer", "head"],
    ]);
    const source = model.runWithCache(clean.tokens, clean.context, { namesFilter: "*cross_attn.hook_z" }).cache;
    for (const layer of [0, 1])
      for (const head of [0, 1]) {
        const only = (z: Tensor, h: number): Tensor => z.narrow(2, { start: h, length: 1 });
        const replace = (z: Tensor): Tensor =>
          z.sub(padHead(only(z, head), head)).add(padHead(only(source.get("z", layer, "cross_attn"), head), head));
        const loss = model.runWithHooks(clean.tokens, otherText, { targets: clean.targets, returnType: "loss", fwdHooks: [[`blocks.${layer}.cross_attn.hook_z`, replace]] }); // biome-ignore format: one call
        expect(result.values[2 * layer + head]).toBeCloseTo(await loss.item(), 5);
      }
  });

  it("patches place by place: a place of the text's, and a stroke that later ones only can see", async () => {
    const changed = await clean.tokens.data();
    changed[3] = (changed[3]! + 1) % 11; // of the first sequence
    const corrupted = { ...clean, tokens: tensor(changed as Int32Array<ArrayBuffer>, { shape: [B, T] }) };
    const first = ({ logits }: { logits: Tensor }): Tensor => logits.narrow(0, { start: 0, length: 1 }).square().sum();
    const result = await activationPatch(model, { clean, corrupted, metric: first, sites: layerSites("resid_pre") });
    expect(result.shape).toEqual([2, T]);
    expect(Array.from(result.recovered.slice(0, T), (r) => Math.round(r * 1e6) / 1e6)).toEqual([0, 0, 0, 1, 0, 0, 0]);
    expect(Array.from(result.recovered.slice(T, T + 3))).toEqual([0, 0, 0]);
    const keys = await activationPatch(model, {
      clean,
      corrupted: { ...clean, context: otherText },
      sites: headSites({ attention: "cross_attn", hook: "k", byPosition: true }),
    });
    expect(keys.shape).toEqual([2, 2, S]);
    const some = await activationPatch(model, {
      clean,
      corrupted,
      metric: first,
      sites: layerSites("mlp.hook_post", { positions: [2, 3] }),
    });
    expect([some.shape, some.grid.sites[3]]).toEqual([[2, 2], { name: "blocks.1.mlp.hook_post", position: 3 }]);
    expect((await activationPatch(model, { clean, corrupted, sites: layerSites("mlp_out", { byPosition: false }) })).shape).toEqual([2]);
  });

  it("reports progress, and stops when asked to", async () => {
    const seen: string[] = [];
    const stop = new AbortController();
    const patching = activationPatch(model, {
      clean,
      corrupted: { ...clean, context: otherText },
      sites: headSites({ hook: "pattern" }),
      signal: stop.signal,
      onProgress: (done, total) => {
        seen.push(`${done}/${total}`);
        if (done === 2) stop.abort(new Error("enough"));
      },
    });
    await expect(patching).rejects.toThrow("enough");
    expect(seen).toEqual(["1/4", "2/4"]);
  });

  it("refuses what makes no patch", async () => {
    const corrupted = { ...clean, context: otherText };
    const patch = (site: object) => activationPatch(model, { clean, corrupted, sites: { axes: [], sites: [site as { name: string }] } });
    await expect(patch({ name: "blocks.0.attn.hook_zz" })).rejects.toThrow("nearest: blocks.0.attn.hook_z");
    await expect(patch({ name: "blocks.0.attn.hook_z", head: 2 })).rejects.toThrow(
      "Expected a head from 0 to 1 of blocks.0.attn.hook_z but found 2",
    );
    await expect(patch({ name: "blocks.0.hook_mlp_out", head: 0 })).rejects.toThrow(
      "with a head to patch but found blocks.0.hook_mlp_out [B, T, C]",
    );
    const shorter = { ...corrupted, tokens: clean.tokens.narrow(1, { start: 0, length: 3 }) };
    await expect(activationPatch(model, { clean, corrupted: shorter, sites: headSites() })).rejects.toThrow(HookError);
    const untargeted = { tokens: clean.tokens, context: clean.context };
    await expect(activationPatch(model, { clean: untargeted, corrupted: untargeted, sites: headSites() })).rejects.toThrow(
      "Expected a metric, or targets",
    );
  });
});

/** Puts one head's part `[B, T, 1, D]` back among two, with zeros for the other. */
function padHead(part: Tensor, head: number): Tensor {
  return part.pad([
    [0, 0],
    [0, 0],
    [head, 1 - head],
    [0, 0],
  ]);
}
