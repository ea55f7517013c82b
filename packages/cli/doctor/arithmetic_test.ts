import { type Device, openDevice } from "@cursive/tensor";
import { engineNeeds, errorInBounds, inBounds, kernelChecks } from "@cursive/tensor/self_test";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withMutation } from "../../tensor/device/kernel.ts";
import { presets } from "../config/presets.ts";
import { buildTrainer } from "../run/build_trainer.ts";
import { openData } from "../run/data.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { checkArithmetic } from "./arithmetic.ts";
import { checkDeterminism } from "./determinism.ts";
import type { Finding } from "./finding.ts";
import { largestTensor } from "./gpu/needs.ts";
import { checkGpu } from "./gpu_checks.ts";
import { runDoctor } from "./run_doctor.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

/** A device with the kernels that have no other form, whose text the negative controls know. */
const portable = (): Promise<Device> => openDevice({ family: "portable" });

const quick = { quick: true, thorough: false };

describe("errorInBounds()", () => {
  it("is the worst error in units of its bound, and infinite for a number that is none or is missing", () => {
    const bound = { shape: [3], data: Float64Array.of(0.5, 2, 0) };
    expect(errorInBounds([1, 2, 3], [1, 2, 3], bound)).toBe(0);
    expect(errorInBounds([1.25, 3, 3], [1, 2, 3], bound)).toBe(0.5);
    expect(errorInBounds([1, 2, 4], [1, 2, 3], bound)).toBe(Number.POSITIVE_INFINITY);
    expect(errorInBounds([Number.NaN, 2, 3], [1, 2, 3], bound)).toBe(Number.POSITIVE_INFINITY);
    expect(errorInBounds([1, 2], [1, 2, 3], bound)).toBe(Number.POSITIVE_INFINITY);
  });

  it("is shown in few characters", () => {
    const shown = [0, 1e-5, 0.0654, 1, 12.3, 1e7, Number.POSITIVE_INFINITY, null].map((worst) => inBounds({ worst }));
    expect(shown).toEqual(["exact", "<.001", "0.065", "1.000", "12", "1e+7", "NaN", "fails"]);
  });
});

describe("checkArithmetic()", () => {
  it("finds every op right in the kernels of this adapter", async () => {
    const findings = await checkArithmetic(device, { patience: 0 });
    expect(findings.filter(({ status }) => status !== "ok" && status !== "skip")).toEqual([]);
    const compared = findings.filter(({ data }) => data && "cases" in data);
    expect(compared.map(({ id }) => id)).toEqual(kernelChecks.map(({ id }) => `arithmetic.${id}`));
    for (const { data } of compared)
      expect((data!.families as Record<string, { worst: number }>)[device.family]!.worst).toBeLessThanOrEqual(1);
  });

  it("compares the other families while there is time, and says which were left out", async () => {
    const checks = kernelChecks.filter(({ id }) => id === "conversion");
    const whole = await checkArithmetic(device, { patience: Number.POSITIVE_INFINITY, checks });
    expect(whole).toHaveLength(1);
    const families = Object.values(whole[0]!.data!.families as Record<string, { worst: number } | null>);
    expect(families.length).toBeGreaterThanOrEqual(2);
    expect(families.every((outcome) => outcome?.worst === 0)).toBe(true);
    const cut = await checkArithmetic(device, { patience: -1, checks });
    expect(cut[1]).toMatchObject({ id: "arithmetic.left-out", status: "skip", found: expect.stringContaining("--thorough") });
    expect(device.family).toBe((await openDevice({ asDefault: false })).family);
  });

  it("shares the work with a second device, with the same outcomes", async () => {
    const checks = kernelChecks.filter(({ id }) => ["softmax", "uniform", "adam", "conversion"].includes(id));
    const alone = await checkArithmetic(device, { patience: 0, checks });
    const helper = await openDevice({ asDefault: false });
    const before = helper.stats().dispatches;
    expect(await checkArithmetic(device, { patience: 0, checks, helper })).toEqual(alone);
    expect(helper.stats().dispatches).toBeGreaterThan(before);
    helper.destroy();
  });

  it("uses kernels of no more bindings than it says that the engine needs", () => {
    const bindings: number[] = [];
    const recorder = {
      command: ({ kernel }: { kernel: Parameters<Device["run"]>[0] }) => void bindings.push(kernel.interface.bindings.length),
      effect: () => {},
    };
    device.record(recorder, () => kernelChecks.map(({ cases }) => cases.map((one) => one.launch(device))));
    expect(Math.max(...bindings)).toBeLessThanOrEqual(engineNeeds.maxStorageBuffersPerShaderStage);
  });
});

describe("largestTensor()", () => {
  it("is what a training step of the preset allocates", async () => {
    // With fewer sequences the shares of gradients' sums are greater, but these keep to any limit.
    const tiny = presets.tiny.config;
    const config = { ...tiny, data: { ...tiny.data, words: 60 }, training: { ...tiny.training, batchSize: 2 * tiny.training.batchSize } };
    const own = await openDevice();
    const sizes: number[] = [];
    const create = own.gpu.createBuffer.bind(own.gpu);
    own.gpu.createBuffer = (descriptor) => {
      sizes.push(descriptor.size);
      return create(descriptor);
    };
    await buildTrainer(config, await openData(config)).prepare();
    const greatest = Math.max(...sizes);
    expect(greatest).toBeGreaterThanOrEqual(largestTensor(config));
    expect(greatest).toBeLessThan(1.2 * largestTensor(config)); // memory comes in steps of an eighth
    own.destroy();
    device = await openDevice();
  });
});

describe("a broken kernel", () => {
  it.each([
    ["matmul", "gemm_portable", [/offsets \+= /, "offsets -= "]],
    ["attention", "attention_portable", ["total * shrink + p", "total + p"]],
    ["attention gradient", "attention_portable", ["(dp - own_delta)", "dp"]],
    ["layer norm", "layer_norm", ["+ params.eps", ""]],
    ["softmax", "softmax", [/select\(exp\(v/g, "select(exp2(v"]],
    [
      "cross-entropy",
      "cross_entropy",
      ["vec4f(), vec4f(1.0), vec4i(at) == vec4i(wanted_class)", "vec4f(), vec4f(0.5), vec4i(at) == vec4i(wanted_class)"],
    ],
    ["AdamW, clipped", "optimizer", ["sqrt(params.correction2)", "1.0"]],
    ["random, uniform", "random", ["round < 10u", "round < 9u"]],
  ] as const)("in %s fails the whole report, names the op and gives a fix", async (name, shader, edit) => {
    using folder = temporaryFolder();
    const checks = kernelChecks.filter((check) => check.name === name);
    await withMutation(shader, edit as [string, string], async () => {
      const report = await runDoctor({
        ...quick,
        runs: folder.path,
        gpu: async (_, { emit }) => {
          for (const finding of await checkArithmetic(await portable(), { patience: 0, checks })) emit(finding);
        },
      });
      const [found] = report.findings.filter(({ id }) => id.startsWith("arithmetic."));
      expect(found).toMatchObject({ name, status: "fail", found: expect.stringContaining("wrong: portable"), fix: expect.any(String) });
      expect(report).toMatchObject({ exitCode: 1, verdict: { right: { answer: "no", text: `wrong results in ${name}` } } });
    });
  });

  it("that does not compile is named with its error, and the others are still compared", async () => {
    const checks = kernelChecks.filter(({ id }) => id === "adam" || id === "uniform");
    await withMutation("optimizer", [/^/, "this is no WGSL;\n"], async () => {
      const [adam, uniform] = await checkArithmetic(await portable(), { patience: 0, checks });
      expect(adam).toMatchObject({ status: "fail", found: expect.stringContaining("Expected every shader to compile") });
      expect(uniform).toMatchObject({ status: "ok" });
    });
  });

  it("that only kernels beside this adapter's use is a warning", async () => {
    const own = await portable();
    const checks = kernelChecks.filter(({ id }) => id === "matmul");
    await withMutation("gemm_tile", [/\+= /g, "-= "], async () => {
      const [finding] = await checkArithmetic(own, { patience: Number.POSITIVE_INFINITY, checks });
      expect(finding).toMatchObject({ status: "warn", found: expect.stringContaining("wrong: tile") });
    });
  });
});

describe("checkDeterminism()", () => {
  it("finds the same bits", async () => {
    device = await openDevice();
    expect(await checkDeterminism(device)).toMatchObject({ status: "ok", data: { differingAgain: 0, differingEagerly: 0 } });
  });

  it("notices a kernel that computes a little differently each time", async () => {
    let times = 0;
    const drifting = (() => `+ ${1e-3 * ++times} + params.eps`) as unknown as string;
    await withMutation("layer_norm", ["+ params.eps", drifting], async () => {
      expect(await checkDeterminism(await portable())).toMatchObject({ status: "fail", fix: expect.any(String) });
    });
  });

  it("is a failure and no crash where the step cannot be taken", async () => {
    const lost = await openDevice();
    lost.destroy();
    expect(await checkDeterminism(lost)).toMatchObject({ status: "fail", found: expect.stringContaining("destroyed") });
    device = await openDevice();
  });
});

describe("checkGpu()", () => {
  it("goes on without an adapter and says how to get one", async () => {
    using folder = temporaryFolder();
    const open = (): Promise<Device> => Promise.reject(new Error("Expected a GPU adapter but found none"));
    const report = await runDoctor({
      ...quick,
      quick: false,
      runs: folder.path,
      gpu: (extent, listener) => checkGpu(extent, { ...listener, open }),
    });
    const byId = new Map(report.findings.map((finding) => [finding.id as string, finding]));
    expect(byId.get("gpu.adapter")).toMatchObject({ status: "fail", fix: expect.any(String) });
    for (const id of ["arithmetic.none", "speed.none"]) expect(byId.get(id)).toMatchObject({ status: "skip" });
    for (const id of ["machine.node", "gpu.dawn", "disk.write"]) expect(byId.get(id)?.status).toBe("ok");
    expect(report).toMatchObject({
      exitCode: 1,
      verdict: { starts: { answer: "no" }, right: { answer: "unknown" }, fast: { answer: "unknown" } },
    });
  });

  it("repeats why an adapter that is there does not open", async () => {
    const found: Finding[] = [];
    const open = (): Promise<Device> => Promise.reject(new Error("requestDevice failed"));
    await checkGpu(quick, { open, emit: (finding) => void found.push(finding), progress: () => {} });
    const adapter = found.find(({ id }) => id === "gpu.adapter");
    expect(adapter).toMatchObject({ status: "fail", found: "it does not open: requestDevice failed", fix: expect.any(String) });
  });

  it("fails where an adapter's limits are too small, and still compares what fits", async () => {
    const found: string[] = [];
    const small = await openDevice();
    Object.defineProperty(small, "limits", { value: { ...engineNeeds, maxBufferSize: 1 << 20, maxStorageBufferBindingSize: 1 << 20 } });
    await checkGpu(quick, { open: async () => small, emit: ({ id, status }) => found.push(`${id} ${status}`), progress: () => {} });
    expect(found).toContain("gpu.limits fail");
    expect(found).toContain("arithmetic.matmul ok");
  });
});
