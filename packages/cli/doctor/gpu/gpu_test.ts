import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import type { Device } from "@cursive/tensor";
import { engineNeeds, type Limits } from "@cursive/tensor/self_test";
import { describe, expect, it } from "vitest";
import { presets } from "../../config/presets.ts";
import { temporaryFolder } from "../../testing/mini.ts";
import { checkAdapter } from "./adapter.ts";
import { checkDawn } from "./dawn.ts";
import { checkDriver, type DriverChoice, driverChoice } from "./driver.ts";
import { checkFeatures } from "./features.ts";
import { checkLimits } from "./limits.ts";
import { largestTensor } from "./needs.ts";
import { explainNoAdapter } from "./no_adapter.ts";
import { type SystemFacts, systemFacts } from "./system_facts.ts";

const bare: SystemFacts = { gpus: [], hasLoader: true, manifests: ["lvp_icd.json"], missing: [], forbidden: [], mesa: null };

/** What the guaranteed limits of WebGPU are. */
const promised: Limits = { ...engineNeeds, maxBufferSize: 268_435_456, maxStorageBufferBindingSize: 134_217_728 };

const deviceWith = (about: Partial<Record<keyof Device, unknown>>): Device =>
  ({
    name: "llvmpipe",
    isSoftware: true,
    family: "panel",
    subgroupSize: 8,
    features: new Set(),
    gpu: {},
    limits: promised,
    ...about,
  }) as unknown as Device;

describe("checkDawn()", () => {
  it("tells a system that the native module is not made for from one on which it is broken", async () => {
    const fails = (message: string) => checkDawn(() => Promise.reject(new Error(message)));
    expect((await checkDawn()).status).toBe("ok");
    expect(await fails("version `GLIBC_2.34' not found")).toMatchObject({ status: "fail", fix: expect.stringContaining("Debian") });
    expect(await fails("Cannot find package 'webgpu'")).toMatchObject({ status: "fail", fix: expect.stringContaining("install") });
  });
});

describe("checkDriver()", () => {
  const check = (choice: DriverChoice | undefined, env: NodeJS.ProcessEnv = {}) =>
    checkDriver({ ...env, ...(choice && { CURSIVE_DRIVER_CHOICE: JSON.stringify(choice) }) }, "linux");

  it("says which driver the start has chosen, and why", () => {
    expect(check({ why: "system" }).found).toBe("the system's own Vulkan driver");
    expect(check({ why: "fetched", driver: "lavapipe" }).found).toContain("lavapipe, fetched by this program");
    expect(check({ why: "forced", driver: "swiftshader" }).found).toContain("CURSIVE_DRIVER asks for");
    expect(check({ why: "system" }, { VK_ICD_FILENAMES: "/opt/x.json" }).found).toBe("the one that VK_ICD_FILENAMES=/opt/x.json names");
    expect(check({ why: "none" }).status).toBe("skip");
    expect(check(undefined).found).toBe("the system's own Vulkan driver");
    expect(driverChoice({ CURSIVE_DRIVER_CHOICE: "{" })).toBeUndefined();
  });

  it("has nothing to ask of macOS and Windows", () => {
    expect(checkDriver({}, "darwin").found).toContain("Metal");
    expect(checkDriver({}, "win32").found).toContain("Direct3D 12");
  });
});

describe("systemFacts()", () => {
  it("reads GPUs, the loader, drivers and their files from the system's folders", async () => {
    using folder = temporaryFolder();
    const write = (path: string, content = ""): void => {
      mkdirSync(dirname(join(folder.path, path)), { recursive: true });
      writeFileSync(join(folder.path, path), content);
    };
    write("sys/bus/pci/devices/0/class", "0x030200\n");
    write("sys/bus/pci/devices/0/vendor", "0x10de\n");
    write("sys/bus/pci/devices/1/class", "0x030000\n"); // a virtual machine's screen
    write("sys/bus/pci/devices/1/vendor", "0x1af4\n");
    write("sys/bus/pci/devices/2/class", "0x020000\n"); // Intel's network card
    write("sys/bus/pci/devices/2/vendor", "0x8086\n");
    write("usr/lib/libvulkan.so.1");
    write("usr/share/vulkan/icd.d/nvidia_icd.json");
    write("usr/share/vulkan/icd.d/README");
    const env = { HOME: folder.path, VK_ICD_FILENAMES: `${folder.path}/usr/share/vulkan/icd.d/nvidia_icd.json:/none.json` };
    const facts = await systemFacts({ root: folder.path, env });
    expect(facts).toMatchObject({
      gpus: ["NVIDIA"],
      hasLoader: true,
      manifests: ["nvidia_icd.json"],
      missing: ["/none.json"],
      forbidden: [],
    });
    const empty = await systemFacts({ root: join(folder.path, "none"), env: { HOME: "/none" } });
    expect(empty).toMatchObject({ gpus: [], hasLoader: false, manifests: [], missing: [] });
  });
});

describe("explainNoAdapter()", () => {
  const explain = (facts: Partial<SystemFacts>, choice?: Partial<DriverChoice>, platform: NodeJS.Platform = "linux") =>
    explainNoAdapter({ ...bare, ...facts }, { platform, choice: choice && { why: "none", ...choice } });
  const fetch = expect.stringMatching(/^pnpm cli doctor --download /);

  it.each([
    ["a variable that names no driver", { missing: ["/x.json"] }, { fix: expect.stringMatching(/^unset VK_/) }],
    ["a GPU that the user may not open", { forbidden: ["/dev/dri/renderD128"] }, { fix: expect.stringMatching(/^sudo usermod/) }],
    ["a GPU by NVIDIA without its driver", { gpus: ["NVIDIA"] }, { fix: expect.stringContaining("NVIDIA_DRIVER_CAPABILITIES") }],
    ["no loader", { hasLoader: false }, { cause: expect.stringContaining("libvulkan.so.1"), fix: fetch }],
    ["no driver", { manifests: [] }, { cause: "there is no Vulkan driver", fix: fetch }],
    ["the Mesa of Debian 12", { mesa: "22.3.6" }, { cause: "Mesa 22.3.6 is too old for Dawn, which wants 23 or later", fix: fetch }],
    ["a driver that Dawn refuses for its own reasons", { mesa: "25.0.7" }, { cause: "Dawn accepts none of lvp_icd.json", fix: fetch }],
  ])("knows %s", (_, facts, explanation) => {
    expect(explain(facts)).toMatchObject(explanation);
  });

  it("says what to install where a download was tried and did not help", () => {
    const choice = { install: "sudo apt-get install mesa-vulkan-drivers", triedDownload: true };
    expect(explain({ manifests: [] }, choice).fix).toBe(choice.install);
    expect(explain({ gpus: ["AMD"] }, choice).fix).toBe(choice.install);
  });

  it("says that the driver asked for is not there, or that there is none of the name", () => {
    expect(explain({}, { driver: "swiftshader", message: "not here" })).toMatchObject({
      cause: expect.stringContaining("not here"),
      fix: fetch,
    });
    expect(explain({}, { driver: "nouveau" }).fix).toBe("unset CURSIVE_DRIVER");
  });

  it("sends nobody on macOS or Windows after Vulkan", () => {
    for (const platform of ["darwin", "win32"] as const) expect(JSON.stringify(explain({}, undefined, platform))).not.toContain("Vulkan");
  });
});

describe("checkAdapter()", () => {
  it("notes a software adapter, and warns where a GPU lies idle beside it", () => {
    expect(checkAdapter(deviceWith({}), bare)).toMatchObject({ status: "note", found: expect.stringContaining("software") });
    expect(checkAdapter(deviceWith({}), { ...bare, gpus: ["AMD"] })).toMatchObject({
      status: "warn",
      found: expect.stringContaining("a GPU by AMD lies idle"),
      fix: expect.stringContaining("AMD"),
    });
    const forbidden = { ...bare, gpus: ["AMD"], forbidden: ["/dev/dri/renderD128"] };
    expect(checkAdapter(deviceWith({}), forbidden).fix).toMatch(/^sudo usermod/);
    expect(checkAdapter(deviceWith({ isSoftware: false, name: "RTX" }), { ...bare, gpus: ["NVIDIA"] })).toMatchObject({ status: "ok" });
  });
});

describe("checkFeatures()", () => {
  it("names what is there and what is not", () => {
    const features = new Set(["subgroups", "timestamp-query"]);
    expect(checkFeatures(deviceWith({ features })).found).toBe("subgroups of 8, timestamps; no f16; kernels of the family panel");
    expect(checkFeatures(deviceWith({ family: "portable", subgroupSize: 0 }))).toMatchObject({ status: "note" });
  });
});

describe("checkLimits()", () => {
  const check = (limits: Partial<Limits>) => checkLimits(deviceWith({ limits: { ...promised, ...limits } }));

  it("finds what WebGPU promises enough for every preset", () => {
    expect(check({})).toMatchObject({ status: "ok", data: { fitting: ["tiny", "small", "reference"] } });
  });

  it.each(Object.entries(engineNeeds))("fails with a smaller %s than %d", (name, need) => {
    expect(check({ [name]: need - 1 })).toMatchObject({
      status: "fail",
      found: `less than the kernels need: ${name} ${need - 1} of ${need}`,
      fix: expect.any(String),
    });
  });

  it("warns where a preset's tensors do not fit, with a batch that does, and fails where not even tiny's do", () => {
    const reference = presets.reference.config;
    const finding = check({ maxStorageBufferBindingSize: largestTensor(reference) / 2 });
    expect(finding).toMatchObject({ status: "warn", found: expect.stringContaining("not enough for reference") });
    const batch = Number(/training\.batchSize=(\d+)$/.exec(finding.fix!)![1]);
    expect(largestTensor({ ...reference, training: { ...reference.training, batchSize: batch } })).toBeLessThanOrEqual(
      largestTensor(reference) / 2,
    );
    expect(check({ maxBufferSize: largestTensor(presets.tiny.config) - 1 }).status).toBe("fail");
  });
});

it.runIf(process.platform === "linux")("the facts of this machine can be read", async () => {
  expect(await systemFacts()).toMatchObject({ gpus: expect.any(Array), hasLoader: expect.any(Boolean) });
});
