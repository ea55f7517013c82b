import { capture, type Device, HookError, noGrad, openDevice, type Tensor, TensorError, tensor } from "@cursive/tensor";
import { seededIndices } from "@cursive/tensor/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { randomModel } from "../testing/random_model.ts";
import type { Transformer } from "../transformer.ts";

const config = { nLayer: 3, nHead: 2, nEmbd: 8, blockSize: 12, contextBlockSize: 5, vocabSize: 11, contextVocabSize: 6 };
const T = 7;

let device: Device;
let model: Transformer;
let tokens: Tensor;
let context: Tensor;
let targets: Tensor;
beforeAll(async () => {
  device = await openDevice();
  const ids = (seed: number, shape: number[], n: number): Tensor => tensor(Int32Array.from(seededIndices(seed, shape, n).data), { shape });
  [tokens, context, targets] = [ids(1, [2, T], 11), ids(2, [2, 5], 6), ids(3, [2, T], 11)];
});
afterAll(() => device.destroy());
beforeEach(() => {
  model = randomModel(config, 1);
});

const hooked = (): string[] => [...model.namedModules()].filter(([, module]) => module.isHooked).map(([name]) => name);
const logitsNow = async () => (await model.forward(tokens, context).logits.data()) as Float32Array;

describe("runWithHooks", () => {
  it("sees and replaces an activation, and leaves no hook behind", async () => {
    const plain = await logitsNow();
    let seen: Tensor | undefined;
    const looked = model.runWithHooks(tokens, context, {
      fwdHooks: [
        [
          "blocks.1.hook_attn_out",
          (value, site) => {
            expect([site.name, site.layer, site.path]).toEqual(["blocks.1.hook_attn_out", 1, "transformer.h.1.attn.c_proj"]);
            seen = value;
          },
        ],
      ],
    });
    expect(await looked.data()).toEqual(plain);
    expect(seen!.shape).toEqual([2, T, 8]);
    expect(hooked()).toEqual([]);
    const zeroed = await model.runWithHooks(tokens, context, { fwdHooks: [["blocks.1.hook_attn_out", (x) => x.mul(0)]] }).data();
    const byTorch = model.getSubmodule("transformer.h.1.attn.c_proj").registerForwardHook((_m, _i, y) => y.mul(0));
    expect(await logitsNow()).toEqual(zeroed);
    byTorch.remove();
    expect(zeroed).not.toEqual(plain);
    expect(await logitsNow()).toEqual(plain);
  });

  it("reaches the normalisation that comes next also where a hook writes to the residual stream itself", async () => {
    const mask = tensor([0, 0, 1, 1, 0, 0, 0].map((isWritten) => [isWritten])); // [T, 1]
    for (const site of ["blocks.1.hook_resid_mid", "blocks.1.hook_resid_mid_cross"]) {
      const run = (hook: (x: Tensor) => Tensor | undefined) =>
        noGrad(() => model.runWithHooks(tokens, context, { fwdHooks: [[site, hook]] })).data();
      const written = await run((x) => {
        x.narrow(1, { start: 2, length: 2 }).fill(0.5);
        return undefined;
      });
      expect(written, site).toEqual(await run((x) => x.maskedFill(mask.gt(0), 0.5)));
    }
  });

  it("takes aliases, paths, patterns, expressions, functions and lists of them as one and the same", async () => {
    const run = async (sites: Parameters<Transformer["hookSites"]["select"]>[0]) =>
      model.runWithHooks(tokens, context, { fwdHooks: [[sites, (x) => x.mul(0.5)]] }).data();
    const wanted = await run("blocks.2.cross_attn.hook_z");
    const same = ["transformer.h.2.cross_attn.hook_z", "blocks.2.cross_attn.o.hook_in", "blocks.2.cross*hook_z", "*.2.cross_attn.hook_?"];
    for (const sites of same.slice(0, 3)) expect(await run(sites)).toEqual(wanted);
    expect(await run(/^blocks\.2\.cross_attn\.hook_z$/g)).toEqual(wanted);
    expect(await run((name) => name === "blocks.2.cross_attn.hook_z")).toEqual(wanted);
    expect(await run([same[0]!, same[2]!])).toEqual(wanted);
    expect(await run("*.2.cross_attn.hook_?")).not.toEqual(wanted); // q, k and v too
  });

  it("gives logits, the loss, both, each token's loss, or the residual stream", async () => {
    const look = { fwdHooks: [["hook_embed", () => undefined]] } as const;
    const { logits, loss } = model.forward(tokens, context, targets);
    const wanted = [await logits.data(), await loss!.item()];
    expect(await model.runWithHooks(tokens, context, look).data()).toEqual(wanted[0]);
    expect(await model.runWithHooks(tokens, context, { ...look, targets, returnType: "loss" }).item()).toBe(wanted[1]);
    const both = model.runWithHooks(tokens, context, { ...look, targets, returnType: "both" });
    expect([await both.logits.data(), await both.loss.item()]).toEqual(wanted);
    const each = model.runWithHooks(tokens, context, { ...look, targets, returnType: "loss", lossPerToken: true });
    expect(each.shape).toEqual([2, T]);
    expect((await each.mean().item()) - Number(wanted[1])).toBeCloseTo(0, 5);
    const residual = model.runWithHooks(tokens, context, { ...look, stopAtLayer: 1 });
    expect(await residual.data()).toEqual(await model.residual(tokens, context, { stopAtLayer: 1 }).data());
    expect(() => model.runWithHooks(tokens, context, { ...look, returnType: "loss" })).toThrow("Expected targets for a returnType of loss");
  });

  it("takes ids from the host", async () => {
    const host = async (t: Tensor) => ({ shape: t.shape, dtype: t.dtype, data: await t.data() });
    const given = await model.runWithHooks(await host(tokens), await host(context), { fwdHooks: [] }).data();
    expect(given).toEqual(await logitsNow());
  });

  it("leaves a tape: its loss has gradients", async () => {
    model
      .runWithHooks(tokens, context, { targets, returnType: "loss", fwdHooks: [["blocks.1.hook_attn_out", (x) => x.mul(0)]] })
      .backward();
    const { attn } = model.transformer.h.at(1);
    expect([...(await attn.c_proj.weight.grad!.data())].every((g) => g === 0)).toBe(true);
    expect([...(await model.lm_head.weight.grad!.data())].some((g) => g !== 0)).toBe(true);
  });

  it("runs hooks of one site in their order, each with what the last one gave, before those registered later", async () => {
    const calls: string[] = [];
    const by = (label: string, factor: number) => (x: Tensor) => {
      calls.push(label);
      return x.mul(factor);
    };
    const outer = model.getSubmodule("transformer.h.0.attn.c_proj");
    const before = outer.registerForwardHook((_m, _i, y) => by("torch", 2)(y));
    const first = outer.registerForwardHook((_m, _i, y) => by("prepended", 0.5)(y), { prepend: true });
    const hooks = { fwdHooks: [["blocks.0.hook_attn_out", by("a", 4)], ["transformer.h.0.attn", by("b", 0.25)]] } as const; // biome-ignore format: a table
    expect(await model.runWithHooks(tokens, context, hooks).data()).toEqual(await logitsWithout(before, first));
    expect(calls).toEqual(["prepended", "torch", "a", "b"]);
  });

  it("goes on when a hook removes another one, or runs the model, while it runs", async () => {
    const calls: string[] = [];
    const inner = randomModel(config, 2);
    const other = model.getSubmodule("transformer.h.2").registerForwardHook(() => void calls.push("removed"));
    model.runWithHooks(tokens, context, {
      fwdHooks: [
        [
          "blocks.0.hook_resid_pre",
          () => {
            other.remove();
            calls.push("first");
            inner.runWithHooks(tokens, context, { fwdHooks: [["blocks.2.hook_mlp_out", () => void calls.push("inner")]] });
          },
        ],
        ["blocks.2.hook_resid_post", () => void calls.push("last")],
      ],
    });
    expect(calls).toEqual(["first", "inner", "last"]);
    expect(hooked()).toEqual([]);
  });
});

/** The logits with some hooks gone, which are not put back. */
async function logitsWithout(...handles: readonly { remove(): void }[]): Promise<Float32Array> {
  for (const handle of handles) handle.remove();
  return logitsNow();
}

describe("a hook that goes wrong", () => {
  const run = (sites: string, hook: (x: Tensor) => unknown) => () =>
    model.runWithHooks(tokens, context, { fwdHooks: [[sites, hook as (x: Tensor) => Tensor]] });

  it("takes all temporary hooks with it when it throws, and its error comes through", async () => {
    const plain = await logitsNow();
    const kept = model.getSubmodule("lm_head").registerForwardHook(() => undefined);
    const broken = () =>
      model.runWithHooks(tokens, context, {
        fwdHooks: [
          ["blocks.0.hook_resid_pre", (x) => x.mul(2)],
          ["blocks.1.attn.hook_pattern", () => { throw new Error("from the hook"); }], // biome-ignore format: a table
          ["blocks.2.hook_resid_post", () => expect.unreachable()],
        ],
      });
    expect(broken).toThrow("from the hook");
    expect(hooked()).toEqual(["lm_head"]);
    kept.remove();
    expect(await logitsNow()).toEqual(plain);
  });

  it.each([
    ["sites", "blocks.0.mlp.hook_psot", "Expected the name of a hook but found 'blocks.0.mlp.hook_psot'; nearest: blocks.0.mlp.hook_post"],
    ["layers", "blocks.3.hook_resid_pre", "nearest: blocks.0.hook_resid_pre, blocks.1.hook_resid_pre, blocks.2.hook_resid_pre"],
    ["paths", "transformer.h.0.mlp.cproj", "nearest: transformer.h.0.mlp.c_proj"],
    ["patterns", "blocks.*.hook_mlp_oot", "means none of 112; nearest: blocks.0.hook_mlp_out"],
  ])("is refused for unknown %s, with the nearest names, and leaves no other hook", (_what, name, message) => {
    const other = ["hook_embed", () => undefined] as const;
    expect(() => model.hooks({ fwdHooks: [other, [name, () => undefined]] })).toThrow(message);
    expect(run(name, () => undefined)).toThrow(HookError);
    expect(hooked()).toEqual([]);
  });

  it("is told which shape and dtype was expected of it", () => {
    const [name, shape] = ["blocks.1.attn.hook_z", "[2, 7, 2, 4] f32"];
    expect(run(name, (z) => z.reshape([2, T, 8]))).toThrow(`Expected the hook on ${name} to return ${shape} but found [2, 7, 8] f32`);
    expect(run(name, (z) => z.to("i32"))).toThrow(`to return ${shape} but found [2, 7, 2, 4] i32`);
    expect(run(name, () => 3)).toThrow(`to return ${shape} but found 3`);
    expect(run(name, () => null)).toThrow("but found null");
    expect(hooked()).toEqual([]);
  });

  it("is told that there is nothing to read yet, whether it waits or not", () => {
    expect(run("hook_embed", (x) => void x.data())).toThrow("the value is not computed yet. Keep the tensor, and read it after the run");
    expect(run("hook_embed", async (x) => void (await x.sum().item()))).toThrow("the value is not computed yet");
    expect(run("hook_embed", async (x) => x.mul(0))).toThrow("found a promise");
    expect(hooked()).toEqual([]);
  });

  it("is an error if it never runs, unless that is allowed", () => {
    const never = { stopAtLayer: 1, fwdHooks: [["blocks.2.hook_resid_pre", () => undefined]] } as const;
    expect(() => model.runWithHooks(tokens, context, never)).toThrow(
      "Expected all hooks to run but found that blocks.2.hook_resid_pre never did in a run that stops at layer 1",
    );
    expect(model.runWithHooks(tokens, context, { ...never, allowUnfired: true }).shape).toEqual([2, T, 8]);
    const seen: string[] = [];
    model.runWithHooks(tokens, context, { stopAtLayer: -1, fwdHooks: [["*.hook_resid_post", (_x, { name }) => void seen.push(name)]] });
    expect(seen).toEqual(["blocks.0.hook_resid_post", "blocks.1.hook_resid_post"]); // a pattern means what the run reaches
  });
});

describe("a scope of hooks", () => {
  const zero = { fwdHooks: [["blocks.*.hook_cross_attn_out", (x: Tensor) => x.mul(0)]] } as const;

  it("holds for whatever runs in it, captured steps too, and ends with its block", async () => {
    const plain = await logitsNow();
    const run = capture(() => model.forward(tokens, context).logits);
    expect(await (await run()).data()).toEqual(plain);
    let within: Float32Array | undefined;
    {
      using _scope = model.hooks(zero);
      within = await logitsNow();
      expect(await (await run()).data()).toEqual(within);
    }
    expect(within).not.toEqual(plain);
    expect(hooked()).toEqual([]);
    expect(await (await run()).data()).toEqual(plain);
  });

  it("reaches into a step that was captured before, on every site, and leaves it as it was", async () => {
    const step = () => model.forward(tokens, context).logits;
    const run = capture(step);
    const read = async () => [...(await (await run()).data())];
    const plain = await read();
    for (const { name, layer } of model.hookSites.sites) {
      if (layer === 0 || layer === 1) continue;
      const scope = model.hooks({ fwdHooks: [[name, (x) => x.mul(1.5)]] });
      const [within, eager] = [await read(), [...(await step().data())]];
      scope.dispose();
      expect(within, name).toEqual(eager);
      expect(within, name).not.toEqual(plain);
    }
    expect(await read()).toEqual(plain);
  });

  it("ends when its block throws", () => {
    const broken = (): void => {
      using _scope = model.hooks(zero);
      throw new Error("in the block");
    };
    expect(broken).toThrow("in the block");
    expect(hooked()).toEqual([]);
  });

  it("ends at once when one of its hooks throws, also without a block", () => {
    model.hooks({ fwdHooks: [["hook_embed", (x) => x.mul(0)], ["blocks.1.hook_resid_mid", () => { throw new Error("mid"); }]] }); // biome-ignore format: a table
    expect(() => model.forward(tokens, context)).toThrow("mid");
    expect(hooked()).toEqual([]);
  });

  it("complains at its end of hooks that did not run though the model did", () => {
    const idle = model.hooks(zero);
    idle.dispose();
    const used = model.hooks({ bwdHooks: [["blocks.0.hook_resid_post", () => undefined]] });
    model.forward(tokens, context, targets);
    expect(() => used.dispose()).toThrow("found that blocks.0.hook_resid_post never did: a backward hook runs in a backward inside");
    used.dispose();
    const stopped = model.hooks(zero);
    model.residual(tokens, context, { stopAtLayer: 2 });
    expect(() => stopped.dispose()).toThrow("blocks.2.hook_cross_attn_out never did");
    expect(hooked()).toEqual([]);
  });

  it("runs hooks on gradients, which they may replace", async () => {
    const gradients = new Map<string, Tensor>();
    const scope = model.hooks({
      bwdHooks: [
        ["blocks.*.hook_resid_post", (g, { name }) => void gradients.set(name, g)],
        ["blocks.0.hook_mlp_out", (g) => g.mul(0)],
      ],
    });
    model.forward(tokens, context, targets).loss!.backward();
    scope.dispose();
    expect([...gradients.keys()]).toEqual([2, 1, 0].map((l) => `blocks.${l}.hook_resid_post`));
    const { mlp } = model.transformer.h.at(0);
    expect([...(await mlp.c_proj.weight.grad!.data())].every((g) => g === 0)).toBe(true);
    expect([...(await gradients.get("blocks.0.hook_resid_post")!.data())].some((g) => g !== 0)).toBe(true);
  });
});

describe("errors of hooks", () => {
  it("are the engine's", () => {
    expect(new HookError("x")).toBeInstanceOf(TensorError);
  });
});

describe("hooks that only stand there", () => {
  it("cost no launch where the kernels compute what they watch, and none are left of those that do not", async () => {
    const cost = async (sites?: string) => {
      using _scope = model.hooks({ fwdHooks: sites ? [[sites, () => undefined]] : [] });
      const step = capture(() => model.forward(tokens, context).logits);
      const { dispatches } = await step.prepare();
      step.destroy();
      return dispatches;
    };
    const plain = await cost();
    for (const site of ["hook_pos_embed*", "*hook_resid_*", "*hook_?", "*normalized", "*.hook_*_in", "transformer.h.*.c_attn*", "lm_head"])
      expect([site, await cost(site)]).toEqual([site, plain]);
    for (const site of ["hook_embed*", "*pattern", "*attn_scores", "*scale", "*result", "*hook_pre", "*hook_mlp_out"])
      expect(await cost(site), site).toBeGreaterThan(plain);
    expect(await cost()).toBe(plain);
  });
});
