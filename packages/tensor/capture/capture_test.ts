import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor, zeros } from "../create.ts";
import type { CompileAhead } from "../device/compile_ahead.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import type { CompileProgress } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { CaptureError } from "../errors.ts";
import type { HostTensor } from "../io/host_tensor.ts";
import { Embedding, LayerNorm, Linear } from "../nn/layers.ts";
import { Module } from "../nn/module.ts";
import { Parameter } from "../nn/parameter.ts";
import { full } from "../ops/copy.ts";
import { embedding } from "../ops/embedding.ts";
import { AdamW } from "../optim/adam.ts";
import { StepLR } from "../optim/schedule.ts";
import { createRng } from "../random/philox.ts";
import type { Tensor } from "../tensor.ts";
import { capture } from "./capture.ts";
import { canTime } from "./clocked_run.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

/** Two layers with something of everything: products, broadcasts, reductions, a view. */
class Net extends Module<[Tensor], Tensor> {
  readonly fc: Linear;
  readonly out: Linear;
  constructor(seed: number) {
    super();
    const rng = createRng(seed, "net");
    this.fc = new Linear(6, 10, { rng });
    this.out = new Linear(10, 3, { rng });
  }
  override forward(x: Tensor): Tensor {
    return this.out.call(this.fc.call(x).tanh());
  }
}

const batch = (step: number, rows = 8): [HostTensor, HostTensor] => {
  const rng = createRng(7, "batch", step);
  const draw = (shape: number[]): HostTensor => ({
    shape,
    dtype: "f32",
    data: Float32Array.from({ length: shape[0]! * shape[1]! }, () => rng.normal()),
  });
  return [draw([rows, 6]), draw([rows, 3])];
};

/** A model, its optimizer with a schedule and clipping, and one training step over them. */
function setUp(seed: number): { net: Net; optimizer: AdamW; schedule: StepLR; step: (x: Tensor, y: Tensor) => Tensor } {
  const net = new Net(seed);
  const optimizer = new AdamW(net.parameters(), { lr: 0.05, weightDecay: 0.1, maxGradNorm: 0.5 });
  const schedule = new StepLR(optimizer, { stepSize: 7, gamma: 0.5 });
  const step = (x: Tensor, y: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = net.call(x).sub(y).square().mean();
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { net, optimizer, schedule, step };
}

const onGpu = (host: HostTensor): Tensor => tensor(host.data, { shape: host.shape });

describe("capture()", () => {
  it("trains exactly as the eager step does, over 30 steps with other data and another rate each, on poisoned memory", async () => {
    const eager = setUp(1);
    const captured = setUp(1);
    const run = capture((x: Tensor, y: Tensor) => captured.step(x, y), { poison: true });
    for (let i = 0; i < 30; i++) {
      const [x, y] = batch(i);
      const wanted = await eager.step(onGpu(x), onGpu(y)).item();
      const found = await (await run(x, y)).item();
      expect(found).toBe(wanted);
      eager.schedule.step();
      captured.schedule.step();
    }
    expect(captured.optimizer.stepCount).toBe(30);
    expect(captured.optimizer.lr).toBe(0.05 * 0.5 ** 4);
    for (const [name, p] of captured.net.namedParameters())
      expect([...(await p.data())]).toEqual([...(await eager.net.getParameter(name).data())]);
  });

  it("would notice a learning rate frozen at capture", async () => {
    const eager = setUp(1);
    const frozen = setUp(1);
    const run = capture((x: Tensor, y: Tensor) => frozen.step(x, y));
    const losses: [number, number][] = [];
    for (let i = 0; i < 12; i++) {
      const [x, y] = batch(i);
      losses.push([await eager.step(onGpu(x), onGpu(y)).item(), await (await run(x, y)).item()]);
      eager.schedule.step(); // and not frozen.schedule
    }
    expect(losses[5]![0]).toBe(losses[5]![1]);
    expect(losses[11]![0]).not.toBe(losses[11]![1]);
  });

  it("replays with one submit, and makes no buffer, bind group or pipeline", async () => {
    const { step } = setUp(2);
    const run = capture((x: Tensor, y: Tensor) => step(x, y));
    await (await run(...batch(0))).item();
    await (await run(...batch(1))).item();
    await device.synchronize();
    const before = device.stats();
    for (let i = 2; i < 12; i++) await (await run(...batch(i))).item();
    const after = device.stats();
    expect(after.submits - before.submits).toBe(10);
    expect(after.buffersCreated).toBe(before.buffersCreated);
    expect(after.bindGroups).toBe(before.bindGroups);
    expect(after.pipelines).toBe(before.pipelines);
    expect(after.dispatches - before.dispatches).toBe(10 * run.plan()!.dispatches);
  });

  it("writes gradients straight into the optimizer's arena", async () => {
    const { net, optimizer } = setUp(3);
    const forwardBackward = capture((x: Tensor, y: Tensor) => {
      optimizer.zeroGrad();
      const loss = net.call(x).sub(y).square().mean();
      loss.backward();
      return [loss, ...[...net.parameters()].map((p) => p.grad!)];
    });
    const { step } = setUp(3);
    const whole = capture((x: Tensor, y: Tensor) => step(x, y));
    await forwardBackward(...batch(0));
    await whole(...batch(0));
    // clipping takes two launches and Adam one; four copies of gradients would show here
    expect(whole.plan()!.dispatches).toBeLessThanOrEqual(forwardBackward.plan()!.dispatches + 3);
  });

  it("adds up the shares of all gradients in one launch, to the same bits", async () => {
    const build = () => {
      const rng = createRng(9, "deep");
      const layers = [32, 40, 24, 3].map((size, i, sizes) => new Linear(sizes[i - 1] ?? 6, size, { rng }));
      const norm = new LayerNorm(40);
      const optimizer = new AdamW([...layers.flatMap((l) => [...l.parameters()]), ...norm.parameters()], { lr: 0.01, maxGradNorm: 0.5 });
      const step = (x: Tensor, y: Tensor): Tensor => {
        optimizer.zeroGrad();
        const hidden = layers.slice(0, -1).reduce((h, layer, i) => (i === 1 ? norm.call(layer.call(h)) : layer.call(h).tanh()), x);
        const loss = layers.at(-1)!.call(hidden).sub(y).square().mean();
        loss.backward();
        optimizer.step();
        return loss;
      };
      return { step, parameters: () => Promise.all([...layers, norm].flatMap((m) => [...m.parameters()]).map((p) => p.data())) };
    };
    const [eager, captured] = [build(), build()];
    const run = capture((x: Tensor, y: Tensor) => captured.step(x, y), { poison: true });
    for (let i = 0; i < 5; i++) {
      const [x, y] = batch(i, 2200);
      expect(await (await run(x, y)).item()).toBe(await eager.step(onGpu(x), onGpu(y)).item());
    }
    expect(await captured.parameters()).toEqual(await eager.parameters());
    const launches = await run.profile(...batch(5, 2200)).catch(() => undefined); // an adapter may have no clock
    const sums = launches?.filter(({ shader }) => shader === "sum_slices").map(({ entry }) => entry);
    if (sums) expect(sums).toEqual(["table"]);
  });

  it.each<KernelFamily>([
    "tile", // an embedding's gradient is written by two launches
    "portable", // by one, beside that of the positions
    "panel", // and that of a layer without bias by a kernel that sums up a bias's as well
  ])("copies no gradient, whoever writes it (%s)", async (family) => {
    const own = device.family;
    if (device.hasFamily(family)) device.family = family;
    const build = () => {
      const rng = createRng(5, "words");
      const [words, places, head] = [
        new Embedding(30, 8, { rng }),
        new Embedding(550, 8, { rng }),
        new Linear(8, 20, { rng, bias: false }),
      ];
      const parameters = [words.weight, places.weight, head.weight];
      const optimizer = new AdamW(parameters, { lr: 0.05 });
      const backward = (ids: Tensor): Tensor => {
        optimizer.zeroGrad();
        const loss = head
          .call(embedding(ids, words.weight, { plus: places.weight }))
          .square()
          .mean();
        loss.backward();
        return loss;
      };
      const step = (ids: Tensor): Tensor => {
        const loss = backward(ids);
        optimizer.step();
        return loss;
      };
      return { backward, step, parameters };
    };
    const ids = (step: number): HostTensor => ({
      shape: [2, 550],
      dtype: "i32",
      data: Int32Array.from({ length: 1100 }, (_, i) => (i * i + step) % 30),
    });
    try {
      const [eager, captured, unused] = [build(), build(), build()];
      const run = capture((x: Tensor) => captured.step(x), { poison: true });
      for (let i = 0; i < 3; i++) {
        const x = ids(i);
        expect(await (await run(x)).item()).toBe(await eager.step(tensor(x.data, { shape: x.shape, dtype: "i32" })).item());
      }
      for (const [i, p] of captured.parameters.entries()) expect(await p.data()).toEqual(await eager.parameters[i]!.data());
      const withoutStep = capture((x: Tensor) => [unused.backward(x), ...unused.parameters.map((p) => p.grad!)]);
      const { dispatches } = await withoutStep.prepare(ids(0));
      expect(run.plan()!.dispatches).toBe(dispatches + 1);
    } finally {
      device.family = own;
    }
  });

  it("leaves a gradient beside others alone that nobody optimizes", async () => {
    // The gradients of a layer's weight and bias come out of one kernel, side by side; only the weights are to be trained.
    const build = () => {
      const rng = createRng(4, "weights");
      const layers = [6, 10, 10].map((size, i) => new Linear(size, i < 2 ? 10 : 3, { rng }));
      const weights = layers.map((layer) => layer.weight);
      const optimizer = new AdamW(weights, { lr: 0.05, maxGradNorm: 0.1 });
      const step = (x: Tensor, y: Tensor): Tensor => {
        optimizer.zeroGrad();
        for (const { bias } of layers) bias!.grad = null;
        const loss = layers
          .reduce((h, layer) => layer.call(h.tanh()), x)
          .sub(y)
          .square()
          .mean();
        loss.backward();
        optimizer.step();
        return loss;
      };
      return { step, weights: () => Promise.all(weights.map((p) => p.data())) };
    };
    for (const rows of [8, 2200]) {
      const [eager, captured] = [build(), build()];
      const run = capture((x: Tensor, y: Tensor) => captured.step(x, y), { poison: true });
      for (let i = 0; i < 4; i++) {
        const [x, y] = batch(i, rows);
        expect(await (await run(x, y)).item()).toBe(await eager.step(onGpu(x), onGpu(y)).item());
      }
      expect(await captured.weights()).toEqual(await eager.weights());
    }
  });

  it("keeps what lies between parameters at zero, which a gradient's norm counts on", async () => {
    // Sizes that are no multiple of 4, and gradients whose last kernel writes whole vectors: each parameter is used twice.
    const build = () => {
      const scales = [3, 5, 1].map((size) => new Parameter(full([size], 0.5)));
      const optimizer = new AdamW(scales, { lr: 0.05, maxGradNorm: 0.01 });
      const step = (x: Tensor): Tensor => {
        optimizer.zeroGrad();
        const terms = scales.map((s) => s.mul(x.sum()).add(s.square()).sum());
        const loss = terms.reduce((a, b) => a.add(b)).square();
        loss.backward();
        optimizer.step();
        return optimizer.gradNorm.clone();
      };
      return { step };
    };
    const [eager, captured] = [build(), build()];
    const run = capture((x: Tensor) => captured.step(x), { poison: true });
    for (let i = 0; i < 3; i++) {
      const [x] = batch(i);
      expect(await (await run(x)).item()).toBe(await eager.step(onGpu(x)).item());
    }
  });

  it("records anew for other shapes, and keeps both plans", async () => {
    let recordings = 0;
    const run = capture((x: Tensor) => {
      recordings++;
      return x.mul(2).sum();
    });
    for (const rows of [2, 5, 2, 5]) {
      const [x] = batch(0, rows);
      const wanted = [...x.data].reduce((a, b) => a + b, 0) * 2;
      expect(await (await run(x)).item()).toBeCloseTo(wanted, 4);
    }
    expect(recordings).toBe(2);
  });

  it("takes tensors on the GPU as inputs, and views of them", async () => {
    const run = capture((x: Tensor) => x.sum({ axis: 0 }));
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect([...(await (await run(x)).data())]).toEqual([5, 7, 9]);
    expect([...(await (await run(x.add(1))).data())]).toEqual([7, 9, 11]);
    expect([
      ...(await (
        await run(
          tensor([
            [1, 1],
            [2, 2],
            [3, 3],
          ]).transpose(0, 1),
        )
      ).data()),
    ]).toEqual([2, 4, 6]);
  });

  it("uses tensors that the step closes over in place", async () => {
    const counter = zeros([1]);
    const run = capture((x: Tensor) => {
      counter.copyFrom(counter.add(x));
      return counter.clone();
    });
    for (const wanted of [3, 6, 9]) expect(await (await run(tensor([3]))).item()).toBe(wanted);
    expect(await counter.item()).toBe(9);
  });

  it("runs a forward hook inside, and records anew when hooks come or go", async () => {
    const net = new Net(4);
    const run = capture((x: Tensor) => net.call(x).sum());
    const [x] = batch(0);
    const plain = await (await run(x)).item();
    const hook = net.fc.registerForwardHook((_m, _i, out) => out.mul(0));
    const hooked = await (await run(x)).item();
    const bias = [...(await net.out.bias!.data())].reduce((a, b) => a + b, 0);
    expect(hooked).toBeCloseTo(8 * bias, 4);
    hook.remove();
    expect(await (await run(x)).item()).toBe(plain);
  });

  it("keeps a result readable for a few runs, and says when it is too old", async () => {
    const run = capture((x: Tensor) => x.mul(10));
    const results: Tensor[] = [];
    for (let i = 0; i < 6; i++) results.push(await run(tensor([i])));
    expect(await results[5]!.item()).toBe(50);
    expect(await results[3]!.item()).toBe(30);
    await expect(results[0]!.data()).rejects.toThrow("one of the last 4 runs");
    expect(() => results[2]!.add(1)).toThrow("a later run of the captured step has overwritten it");
    expect(await results[5]!.add(1).item()).toBe(51);
  });

  it("returns lists and records as they are", async () => {
    const run = capture((x: Tensor) => ({ twice: x.mul(2), both: [x.add(1), x.sub(1)] }));
    const { twice, both } = await run(tensor([5]));
    expect(await Promise.all([twice.item(), both[0]!.item(), both[1]!.item()])).toEqual([10, 6, 4]);
  });

  it("refuses a readback inside, an async step, and a result that is no tensor", async () => {
    await expect(
      capture((x: Tensor) => {
        x.item().catch(() => {});
        return x.item() as unknown as Tensor;
      })(tensor([1])),
    ).rejects.toThrow("a captured step cannot wait");
    await expect(capture(() => 5 as unknown as Tensor)()).rejects.toThrow("found a number");
  });

  it("says so when a temporary of the step is used outside", async () => {
    let stolen: Tensor | undefined;
    const run = capture((x: Tensor) => {
      stolen = x.mul(2);
      return stolen.add(1);
    });
    await run(tensor([1]));
    await expect(stolen!.data()).rejects.toThrow(CaptureError);
    expect(() => stolen!.add(1)).toThrow("it is a temporary of a captured step: return it");
  });

  it("runs calls made at once one after another", async () => {
    const total = zeros([1]);
    const run = capture((x: Tensor) => {
      total.copyFrom(total.add(x));
      return total.clone();
    });
    const values = await Promise.all([1, 2, 3].map(async (v) => (await run(tensor([v]))).item()));
    expect(values).toEqual([1, 3, 6]);
  });

  it("prepares a step without running it, and knows the memory that this takes", async () => {
    const net = new Net(64);
    const total = zeros([1]);
    const run = capture((x: Tensor) => {
      total.copyFrom(total.add(1));
      return net.call(x).sum();
    });
    const [x] = batch(0, 512);
    const before = device.stats();
    const cost = await run.prepare(x);
    expect(cost.bytes).toBe(device.stats().bytesCreated - before.bytesCreated);
    expect(await total.item()).toBe(0);
    await run(x);
    expect(await total.item()).toBe(1);
    expect(run.plan()).toEqual(cost);
  });

  it("holds the memory of its plans until it is destroyed, and no more however often it runs", async () => {
    using own = await openDevice({ asDefault: false });
    const weight = zeros([6, 32], { device: own });
    const run = capture((x: Tensor) => x.matmul(weight).tanh().sum(), { device: own });
    await own.synchronize();
    const held = (): number => own.stats().bytesHeld;
    const before = held();
    const plans = [(await run.prepare(batch(0)[0])).bytes, (await run.prepare(batch(0, 64)[0])).bytes];
    const wanted = before + plans[0]! + plans[1]!;
    expect(held()).toBe(wanted);
    for (let i = 0; i < 5; i++) await (await run(batch(i)[0])).item();
    expect(held()).toBe(wanted);
    if (canTime(own)) await run.profile(batch(0)[0]);
    expect(held()).toBe(wanted);
    const result = await run(batch(0)[0]);
    const doubled = result.mul(2); // collected, and not submitted yet
    run.destroy();
    run.destroy();
    expect(await doubled.item()).toBe(0);
    doubled.storage.release();
    own.pool.trim();
    expect(held()).toBe(before);
  });

  it("tells who listens how far compiling is, kernel by kernel in the first run, and changes nothing else", async () => {
    using own = await openDevice({ asDefault: false });
    own.compileAhead = undefined; // it comes before the first run where the driver's cache has nothing
    const weight = tensor(batch(0, 6)[0].data, { shape: [6, 6], device: own });
    const step = (x: Tensor): Tensor => x.matmul(weight).tanh().sum();
    const heard: Parameters<CompileProgress>[] = [];
    const run = capture(step, { device: own, onCompile: (...progress) => heard.push(progress) });
    const [x] = batch(1);
    const submits = own.stats().submits;
    const found = await (await run(x)).item();
    const kernels = own.stats().pipelines;
    expect(kernels).toBeGreaterThan(2);
    expect(own.stats().submits - submits).toBe(kernels + 1);
    const count = (what: "shaders" | "kernels", first: number): typeof heard =>
      Array.from({ length: kernels + 1 - first }, (_, i) => [first + i, kernels, what]);
    expect(heard).toEqual([...count("shaders", 1), ...count("kernels", 0)]);

    const before = own.stats();
    expect(await (await run(x)).item()).toBe(found);
    expect(own.stats().submits - before.submits).toBe(1);
    expect(own.stats()).toMatchObject({ buffersCreated: before.buffersCreated, bindGroups: before.bindGroups });
    const again = capture(step, { device: own, onCompile: (...progress) => heard.push(progress) });
    expect(await (await again(x)).item()).toBe(found);
    expect(heard).toHaveLength(2 * kernels + 1);
  });

  it("hears of kernels that are compiled ahead after the shaders, and waits for them", async () => {
    using own = await openDevice({ asDefault: false });
    const heard: string[] = [];
    const compile: CompileAhead["compile"] = async (kernels, { pipelines }, onProgress) => {
      onProgress?.(0, kernels.length, "kernels"); // too early
      await Promise.all(kernels.map((kernel) => pipelines.create(kernel)));
      await new Promise((resolve) => setTimeout(resolve, 100));
      for (const kernel of kernels) pipelines.launched.add(kernel);
      onProgress?.(kernels.length, kernels.length, "kernels");
    };
    own.compileAhead = { compile } as CompileAhead;
    const onCompile: CompileProgress = (done, total, what) => heard.push(`${what} ${done}/${total}`);
    const run = capture((x: Tensor) => x.cos().tanh().sum(), { device: own, onCompile });
    await (await run(tensor([1, 2], { device: own }))).item();
    expect(heard).toEqual(["shaders 1/3", "shaders 2/3", "shaders 3/3", "kernels 3/3"]);
  });

  it("hears of no kernel that eager work has launched", async () => {
    using own = await openDevice({ asDefault: false });
    const x = tensor([1, 2, 3], { device: own });
    const heard: string[] = [];
    const run = capture((x: Tensor) => x.add(1).tanh(), {
      device: own,
      onCompile: (done, total, what) => heard.push(`${what} ${done}/${total}`),
    });
    await x.add(1).data();
    await (await run(x)).data();
    expect(heard).toEqual(["shaders 1/1", "kernels 0/1", "kernels 1/1"]);
  });
});
