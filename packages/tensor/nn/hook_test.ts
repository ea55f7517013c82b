import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noGrad } from "../autograd/apply.ts";
import { gradientHook } from "../autograd/gradient_hook.ts";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { HookError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import type { HookHandle } from "./hook.ts";
import { Module } from "./module.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

/** y = factor · x. */
class Scale extends Module<[Tensor], Tensor> {
  readonly factor: number;
  constructor(factor: number) {
    super();
    this.factor = factor;
  }
  override forward(x: Tensor): Tensor {
    return x.mul(this.factor);
  }
}

/** Both ways to give several tensors. */
class Split extends Module<[Tensor, string], { half: Tensor; label: string; parts: Tensor }> {
  override forward(x: Tensor, label: string): { half: Tensor; label: string; parts: Tensor } {
    return { half: x.mul(0.5), label, parts: x.mul(3) };
  }
}

const leaf = (values: number[]): Tensor => tensor(values, { requiresGrad: true });

describe("a hook that reads", () => {
  const wants = "Expected a hook that only computes with tensors but found a readback in it";

  it.each([
    ["and goes on", (x: Tensor): undefined => void x.data()],
    ["through item()", (x: Tensor): undefined => void x.sum().item()],
    ["and swallows the failure", (x: Tensor): undefined => void x.array().catch(() => {})],
  ])("is told why there is nothing to read: %s", (_how, hook) => {
    const scale = new Scale(2);
    scale.registerForwardHook((_module, _inputs, y) => hook(y));
    expect(() => scale.call(tensor([1, 2]))).toThrow(HookError);
    expect(() => scale.call(tensor([1, 2]))).toThrow(wants);
    expect(() => scale.call(tensor([1, 2]))).toThrow("Keep the tensor, and read it after the run");
  });

  it("is told so in a captured step, in a pre-hook and in a backward hook too", async () => {
    const scale = new Scale(2);
    const pre = scale.registerForwardPreHook((_module, [x]) => void x.data());
    await expect(capture((x: Tensor) => scale.call(x))(tensor([1]))).rejects.toThrow(wants);
    pre.remove();
    scale.registerFullBackwardHook((_module, _ofInputs, [g]) => void g!.data());
    expect(() => scale.call(leaf([1])).backward()).toThrow(wants);
  });

  it("does not stop others from reading afterwards what it has kept", async () => {
    const scale = new Scale(2);
    let kept: Tensor | undefined;
    scale.registerForwardHook((_module, _inputs, y) => {
      kept = y;
    });
    scale.call(tensor([1, 2]));
    expect([...(await kept!.data())]).toEqual([2, 4]);
  });
});

describe("a full backward hook", () => {
  it("sees the gradients of inputs and outputs, and replaces those of the inputs", async () => {
    const scale = new Scale(3);
    const seen: unknown[] = [];
    const hook = scale.registerFullBackwardHook((module, ofInputs, ofOutputs) => {
      seen.push(module === scale, ofInputs[0], ofOutputs[0]);
      return [ofInputs[0]!.mul(10)];
    });
    const x = leaf([1, 2]);
    scale
      .call(x)
      .mul(tensor([5, 7]))
      .sum()
      .backward();
    expect(seen[0]).toBe(true);
    expect([...(await (seen[1] as Tensor).data())]).toEqual([15, 21]);
    expect([...(await (seen[2] as Tensor).data())]).toEqual([5, 7]);
    expect([...(await x.grad!.data())]).toEqual([150, 210]);
    hook.remove();
    const plain = leaf([1, 2]);
    scale.call(plain).sum().backward();
    expect([...(await plain.grad!.data())]).toEqual([3, 3]);
  });

  it("runs once however often the input was used, when its gradient is whole", async () => {
    const square = new (class extends Module<[Tensor], Tensor> {
      override forward = (x: Tensor): Tensor => x.mul(x);
    })();
    const seen: Tensor[] = [];
    square.registerFullBackwardHook((_module, [g]) => void seen.push(g!));
    square
      .call(leaf([3, 4]))
      .sum()
      .backward();
    expect(seen).toHaveLength(1);
    expect([...(await seen[0]!.data())]).toEqual([6, 8]);
  });

  it("takes records of tensors and inputs that are none, and runs without a gradient at the inputs", async () => {
    const split = new Split();
    const seen: (readonly (Tensor | null)[])[] = [];
    split.registerFullBackwardHook((_module, ofInputs, ofOutputs) => void seen.push(ofInputs, ofOutputs));
    const x = leaf([1]);
    split.call(x, "a").parts.sum().backward();
    expect([...(await x.grad!.data())]).toEqual([3]);
    expect(seen[0]!.map((g) => g?.shape)).toEqual([[1], undefined]);
    expect(seen[1]!.map((g) => g?.shape)).toEqual([undefined, [1]]);

    const weight = leaf([2]);
    const weighted = new (class extends Module<[Tensor], Tensor> {
      override forward = (y: Tensor): Tensor => y.mul(weight);
    })();
    const gradients: (readonly (Tensor | null)[])[] = [];
    weighted.registerFullBackwardHook((_module, ofInputs, ofOutputs) => void gradients.push(ofInputs, ofOutputs));
    weighted
      .call(tensor([5]))
      .sum()
      .backward();
    expect(gradients[0]).toEqual([null]);
    expect([...(await gradients[1]![0]!.data())]).toEqual([1]);
  });

  it("does nothing where no gradient is recorded", () => {
    const scale = new Scale(3);
    scale.registerFullBackwardHook(() => expect.unreachable());
    expect(noGrad(() => scale.call(leaf([1]))).requiresGrad).toBe(false);
  });

  it("costs no kernel, and gives the same gradient captured", async () => {
    const scale = new Scale(3);
    const x = leaf([1, 2]);
    const step = (): Tensor => {
      x.grad = null;
      scale.call(x).square().sum().backward();
      return x.grad!;
    };
    const plain = await capture(step).prepare();
    scale.registerFullBackwardHook(() => undefined);
    const run = capture(step);
    expect(await run.prepare()).toEqual(plain);
    scale.registerFullBackwardHook((_module, [g]) => [g!.mul(2)]);
    expect([...(await (await run()).data())]).toEqual([36, 72]);
  });
});

describe("gradientHook", () => {
  it("gives equal tensors, whose gradients it may replace", async () => {
    const [x, y] = [leaf([1, 2]), leaf([3])];
    const [a, b] = gradientHook([x, y], ([ga, gb]) => [ga!.mul(2), gb!.mul(0)]) as [Tensor, Tensor];
    expect([...(await a.data())]).toEqual([1, 2]);
    a.mul(b).sum().backward();
    expect([...(await x.grad!.data())]).toEqual([6, 6]);
    expect([...(await y.grad!.data())]).toEqual([0]);
  });
});

describe("a captured step", () => {
  it("is recorded once if it hooks and unhooks modules itself", async () => {
    const scale = new Scale(2);
    let recorded = 0;
    const run = capture((x: Tensor) => {
      recorded++;
      using _hook = scale.registerForwardHook((_module, _inputs, y) => y.add(1));
      return scale.call(x);
    });
    for (const value of [1, 2, 3]) expect(await (await run(tensor([value]))).item()).toBe(2 * value + 1);
    expect(recorded).toBe(1);
  });

  it("is recorded anew when hooks come or go outside, or one removes itself inside", async () => {
    const scale = new Scale(2);
    let recorded = 0;
    const run = capture((x: Tensor) => {
      recorded++;
      using _hook = scale.registerForwardHook((_module, _inputs, y) => y.add(1));
      return scale.call(x);
    });
    const value = async (): Promise<number> => (await run(tensor([10]))).item();
    expect(await value()).toBe(21);
    const first = scale.registerForwardHook((_module, _inputs, y) => y.mul(100));
    expect(await value()).toBe(2001);
    first.remove();
    expect([await value(), recorded]).toEqual([21, 3]);
    const once: HookHandle = scale.registerForwardHook((_module, _inputs, y) => {
      once.remove();
      return y.mul(0);
    });
    expect([await value(), await value(), recorded]).toEqual([1, 21, 5]);
  });
});
