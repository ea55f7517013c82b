import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor, zeros } from "../create.ts";
import { CaptureError, DeviceError, DeviceLostError, OutOfMemoryError, ShaderError, TensorError } from "../errors.ts";
import { full } from "../ops/copy.ts";
import type { Device } from "./device.ts";
import { kernelFromSource, withMutation } from "./kernel.ts";
import { openDevice } from "./open.ts";

const addOne = kernelFromSource(
  "add one",
  `struct Params { size: u32, amount: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < params.size) { y[i] = x[i] + params.amount; }
}`,
);

describe("openDevice()", () => {
  it("gives an adapter with a name, limits, and counters that start near zero", async () => {
    using device = await openDevice();
    expect(device.name.length).toBeGreaterThan(0);
    expect(device.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(128 << 20);
    expect(device.stats().dispatches).toBe(0);
  });

  it("works at WebGPU's default limits", async () => {
    using device = await openDevice({ limits: "default" });
    expect(device.limits.maxStorageBufferBindingSize).toBe(128 << 20);
    expect(device.subgroupSize).toBe(0);
    expect([...(await tensor([1, 2, 3], { device }).data())]).toEqual([1, 2, 3]);
  });

  it("computes the same by the panel family where subgroups have no fixed size, by portable kernels", async () => {
    using device = await openDevice({ limits: "default", family: "panel" });
    expect(device.hasFamily("panel")).toBe(false);
    expect(device.hasFamily("tile")).toBe(true);
    const x = tensor(new Float32Array(200).fill(1), { shape: [2, 100], device });
    expect([...(await x.sum({ axis: 1 }).data())]).toEqual([100, 100]);
    expect(new Set(await x.softmax({ axis: 1 }).data())).toEqual(new Set([Math.fround(0.01)]));
  });

  // Browsers and Deno bring a WebGPU of their own, which has no such thing.
  it.skipIf(globalThis.navigator?.gpu)("refuses Dawn's null backend unless asked for it", async () => {
    await expect(openDevice({ dawn: ["backend=null"], asDefault: false })).rejects.toThrow(DeviceError);
    using device = await openDevice({ dawn: ["backend=null"], allowNull: true, asDefault: false });
    device.destroy();
  });
});

describe("Device", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice();
  });
  afterAll(() => device.destroy());

  it("runs a kernel, and counts dispatches, submits, pipelines and bind groups", async () => {
    const before = device.stats();
    const x = tensor([1, 2, 3], { device });
    const y = zeros([3], { device });
    for (let i = 0; i < 3; i++) device.run(addOne, { bindings: { x, y }, params: { size: 3, amount: i }, workgroups: 1 });
    expect([...(await y.data())]).toEqual([3, 4, 5]);
    const after = device.stats();
    expect(after.dispatches - before.dispatches).toBe(4); // a fill and three kernels
    expect(after.bindGroups - before.bindGroups).toBe(4); // each has its own, with the place of its parameters
    expect(after.bytesInUse).toBeGreaterThan(before.bytesInUse);
    expect(after.readbacks - before.readbacks).toBe(1);
  });

  it("keeps what a whole kernel has left from a broken one that writes nothing", async () => {
    for (let i = 0; i < 3; i++) {
      const whole = tensor([1, 2, 3], { device }).neg();
      expect([...(await whole.data())]).toEqual([-1, -2, -3]);
      whole.storage.release();
    }
    await withMutation("unary", ["y[i] = value(x[i]);", ""], async () => {
      const broken = tensor([1, 2, 3], { device }).neg();
      expect([...(await broken.data())]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    });
  });

  it("makes no bind group when the same is done again with other parameters", async () => {
    const x = tensor([1, 2, 3], { device });
    const y = zeros([3], { device });
    const runAll = async (first: number): Promise<number[]> => {
      for (let i = 0; i < 3; i++) device.run(addOne, { bindings: { x, y }, params: { size: 3, amount: first + i }, workgroups: 1 });
      return [...(await y.data())];
    };
    await device.synchronize();
    expect(await runAll(0)).toEqual([3, 4, 5]);
    const { bindGroups } = device.stats();
    expect(await runAll(7)).toEqual([10, 11, 12]);
    expect(device.stats().bindGroups).toBe(bindGroups);
  });

  it("gives each launch of a batch parameters of its own, over the same buffers and over batches that are longer than one submit", async () => {
    const [x, y] = [zeros([1], { device }), zeros([1], { device })];
    for (let i = 1; i <= 120; i++) {
      const [from, to] = i % 2 ? [x, y] : [y, x];
      device.run(addOne, { bindings: { x: from, y: to }, params: { size: 1, amount: i }, workgroups: 1 });
    }
    expect([...(await x.data())]).toEqual([(120 * 121) / 2]);
  });

  it("folds more than 65,535 workgroups into two dimensions", async () => {
    const size = 65_536 * 64 + 7;
    const x = full([size], 1, { device });
    const y = zeros([size], { device });
    device.run(addOne, { bindings: { x, y }, params: { size, amount: 1 }, workgroups: Math.ceil(size / 64) });
    const values = await y.data();
    expect(values.length).toBe(size);
    expect(values.every((v) => v === 2)).toBe(true);
  });

  it("evaluates a live parameter anew at every run", async () => {
    const x = zeros([1], { device });
    const y = zeros([1], { device });
    let amount = 5;
    for (const wanted of [5, 7]) {
      amount = wanted;
      device.run(addOne, { bindings: { x, y }, params: { size: 1, amount: () => amount }, workgroups: 1 });
      expect((await y.data())[0]).toBe(wanted);
    }
  });

  it("names a missing binding or parameter", () => {
    const x = zeros([1], { device });
    expect(() => device.run(addOne, { bindings: { x }, params: { size: 1, amount: 0 }, workgroups: 1 })).toThrow(
      "Expected a binding 'y' for kernel add one",
    );
    expect(() => device.run(addOne, { bindings: { x, y: x }, params: { size: 1 }, workgroups: 1 })).toThrow("Expected parameter 'amount'");
  });

  it("refuses a tensor beyond the binding limit, naming shape, bytes and limit", () => {
    const length = device.limits.maxStorageBufferBindingSize / 4 + 64;
    expect(() => zeros([length], { device })).toThrow(OutOfMemoryError);
    expect(() => zeros([length], { device })).toThrow(`${4 * length} bytes for [${length}] f32`);
  });

  it("takes a tensor as large as the binding limit", async () => {
    using small = await openDevice({ limits: "default", asDefault: false });
    const length = small.limits.maxStorageBufferBindingSize / 4;
    const x = full([length], 3, { device: small });
    expect((await x.narrow(0, { start: length - 2, length: 2 }).data())[1]).toBe(3);
    expect(() => zeros([length + 1], { device: small })).toThrow(OutOfMemoryError);
  });

  it("reuses released memory instead of making buffers", () => {
    const first = zeros([1000], { device });
    first.storage.release();
    const { buffersCreated } = device.stats();
    zeros([999], { device });
    expect(device.stats().buffersCreated).toBe(buffersCreated);
  });

  it("counts the memory that it holds: tensors, what is kept for later ones, and staging while it is read", async () => {
    using own = await openDevice({ asDefault: false });
    const before = own.stats().bytesHeld;
    const x = zeros([1024], { device: own });
    expect(own.stats().bytesHeld).toBe(before + 4096);
    const reading = x.data();
    expect(own.stats().bytesHeld).toBe(before + 2 * 4096);
    await reading;
    x.storage.release();
    expect(own.stats()).toMatchObject({ bytesHeld: before + 4096, bytesPooled: 4096 });
    own.pool.trim();
    expect(own.stats()).toMatchObject({ bytesHeld: before, bytesPooled: 0, bytesCreated: before + 2 * 4096 });
  });

  it("says that released memory is gone", async () => {
    const x = zeros([4], { device });
    x.storage.release();
    await expect(x.data()).rejects.toThrow(CaptureError);
  });

  it("lists every shader that does not compile, with the lines at fault", async () => {
    using broken = await openDevice({ asDefault: false });
    const bad = (name: string): ReturnType<typeof kernelFromSource> =>
      kernelFromSource(name, "@compute @workgroup_size(1)\nfn main() { let x: u32 = 1.5; }");
    const compiling = broken.pipelines.compile([bad("first"), bad("second"), addOne]);
    await expect(compiling).rejects.toThrow(ShaderError);
    await expect(compiling).rejects.toThrow(/2 of 3 failed[\s\S]*first[\s\S]*L2:[\s\S]*1\.5/);
  });
});

describe("a device after a GPU error", () => {
  it("refuses further work, for its results would be wrong", async () => {
    using device = await openDevice({ asDefault: false });
    const x = zeros([4], { device });
    device.run(addOne, { bindings: { x, y: x }, params: { size: 4, amount: 1 }, workgroups: 1 }); // one buffer, read and written
    await expect(x.data()).rejects.toThrow(DeviceError);
    expect(() => zeros([1], { device })).toThrow(TensorError);
  });

  it("rejects reads with DeviceLostError once it is destroyed", async () => {
    const device = await openDevice({ asDefault: false });
    const x = zeros([4], { device });
    device.destroy();
    await expect(x.data()).rejects.toThrow(DeviceLostError);
    expect((await device.lost).message).toContain("lost");
  });
});
