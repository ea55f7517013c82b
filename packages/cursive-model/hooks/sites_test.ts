import { HookError, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { Transformer } from "../transformer.ts";
import { getActName } from "./act_name.ts";

const config = { nLayer: 3, nHead: 2, nEmbd: 8, blockSize: 12, contextBlockSize: 5, vocabSize: 11, contextVocabSize: 6 };
const device = await openDevice();
afterAll(() => device.destroy());
const model = new Transformer(config);
const index = model.hookSites;

describe("a model's hook sites", () => {
  it("have TransformerLens's names, T5's for cross-attention, for every activation in a block", () => {
    const names = index.sites.filter(({ layer, isDefault }) => layer === 1 && isDefault).map(({ name }) => name.replace("blocks.1.", ""));
    const attention = (part: string) => ["q", "k", "v", "attn_scores", "pattern", "z"].map((hook) => `${part}.hook_${hook}`);
    const norm = (k: number) => [`ln${k}.hook_scale`, `ln${k}.hook_normalized`];
    expect(names).toEqual([
      "hook_resid_pre",
      ...[...norm(1), ...attention("attn"), "hook_attn_out", "hook_resid_mid"],
      ...[...norm(2), ...attention("cross_attn"), "hook_cross_attn_out", "hook_resid_mid_cross"],
      ...[...norm(3), "mlp.hook_pre", "mlp.hook_post", "hook_mlp_out", "hook_resid_post"],
    ]);
    const outside = index.sites.filter(({ layer }) => layer === null || layer < 0).map(({ name }) => name);
    expect(outside.toSorted()).toEqual(
      ["hook_embed", "hook_pos_embed", "hook_embed_c", "hook_pos_embed_c", "ln_final.hook_scale", "ln_final.hook_normalized", "unembed.hook_out"].toSorted(), // biome-ignore format: a list
    );
  });

  it("are found by name, alias and path, and no two share one", () => {
    const all = index.sites.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(all).size).toBe(all.length);
    for (const site of index.sites) {
      expect(model.getSubmodule(site.path)).toBeDefined();
      for (const name of [site.name, site.path, ...site.aliases]) expect(index.find(name)).toBe(site);
    }
  });

  it("cover every module that gives a tensor", () => {
    const lists = new Set(["", "transformer.h"]);
    const paths = new Set(index.sites.flatMap(({ name, aliases }) => [name, ...aliases]));
    for (const [path] of model.namedModules()) if (!lists.has(path)) expect(paths, path).toContain(path);
  });

  it.each([
    ["transformer.h.0.mlp.c_proj", "blocks.0.hook_mlp_out"],
    ["transformer.h.0.mlp.act", "blocks.0.mlp.hook_post"],
    ["transformer.h.0.mlp.c_fc", "blocks.0.mlp.hook_pre"],
    ["transformer.h.2.attn.c_proj", "blocks.2.hook_attn_out"],
    ["transformer.h.2.cross_attn", "blocks.2.hook_cross_attn_out"],
    ["transformer.h.1", "blocks.1.hook_resid_post"],
    ["blocks.1.hook_in", "blocks.1.hook_resid_pre"],
    ["blocks.1.hook_out", "blocks.1.hook_resid_post"],
    ["transformer.wce", "hook_embed_c"],
    ["embed.hook_out", "hook_embed"],
    ["transformer.ln_f", "ln_final.hook_normalized"],
    ["lm_head", "unembed.hook_out"],
  ])("call %s %s", (alias, name) => {
    expect(index.find(alias).name).toBe(name);
  });

  it("run in the order in which they are listed, with the shapes and bytes of the table", () => {
    const ids = (shape: number[]): Tensor => tensor(new Int32Array(shape[0]! * shape[1]!), { shape });
    const ran: string[] = [];
    const shapes = new Map<string, readonly number[]>();
    model.runWithHooks(ids([2, 7]), ids([2, 4]), {
      fwdHooks: [[
        "*",
        (value, { name }) => {
          ran.push(name);
          shapes.set(name, value.shape);
        },
      ]], // biome-ignore format: one hook
    });
    expect(ran).toEqual(index.sites.map(({ name }) => name));
    for (const { name, shape, bytes } of model.hookTable({ batch: 2, tokens: 7, characters: 4 })) {
      expect(shapes.get(name), name).toEqual(shape);
      expect(bytes).toBe(4 * shape.reduce((a, b) => a * b));
    }
    const row = model.hookTable().find(({ name }) => name === "blocks.1.cross_attn.hook_pattern")!;
    expect([row.axes, row.shape, row.bytes]).toEqual(["[B, H, T, S]", [1, 2, 12, 5], 480]);
  });
});

describe("getActName", () => {
  it.each([
    [["pattern", 2, "cross_attn"], "blocks.2.cross_attn.hook_pattern"],
    [["pattern", 2], "blocks.2.attn.hook_pattern"],
    [["resid_pre", 0], "blocks.0.hook_resid_pre"],
    [["resid_mid_cross", 1], "blocks.1.hook_resid_mid_cross"],
    [["cross_attn_out", 1], "blocks.1.hook_cross_attn_out"],
    [["pre", 1], "blocks.1.mlp.hook_pre"],
    [["mlp_post", 1], "blocks.1.mlp.hook_post"],
    [["k", 1, "a"], "blocks.1.attn.hook_k"],
    [["attn", 1], "blocks.1.attn.hook_pattern"],
    [["scale", 1, "ln3"], "blocks.1.ln3.hook_scale"],
    [["normalized"], "ln_final.hook_normalized"],
    [["embed"], "hook_embed"],
    [["pos_embed_c"], "hook_pos_embed_c"],
    [["resid_post5"], "blocks.5.hook_resid_post"],
    [["k6"], "blocks.6.attn.hook_k"],
    [["scale4ln1"], "blocks.4.ln1.hook_scale"],
    [["blocks.0.hook_mlp_out"], "blocks.0.hook_mlp_out"],
    [["transformer.h.0.mlp"], "transformer.h.0.mlp"],
  ] as const)("makes of %j %s", (args, name) => {
    expect(getActName(...(args as unknown as [string, number?, string?]))).toBe(name);
  });
});

describe("selecting sites", () => {
  const names = (filter: Parameters<typeof index.select>[0]): string[] => index.select(filter).map(({ name }) => name);

  it("gives each site once, in the order in which they run", () => {
    const wanted = ["hook_embed", "blocks.0.hook_mlp_out", "blocks.2.hook_mlp_out"];
    expect(names(["transformer.h.2.mlp", "blocks.0.hook_mlp_out", /^hook_embed$/, "blocks.2.hook_mlp_out", "hook_embe?"])).toEqual(wanted);
    expect(names((name) => wanted.includes(name))).toEqual(wanted);
    expect(names("blocks.1.ln?.hook_scale")).toEqual([1, 2, 3].map((k) => `blocks.1.ln${k}.hook_scale`));
    expect(names("*")).toHaveLength(index.sites.length);
  });

  it("refuses filters that mean nothing", () => {
    for (const filter of [/hook_nothing/, () => false, "blocks.9.*", "hook_embe", ["hook_embed", "hook_embe"]]) expect(() => names(filter)).toThrow(HookError); // biome-ignore format: a list
    expect(() => names(/hook_nothing/)).toThrow("that /hook_nothing/ means none of 112");
  });
});
