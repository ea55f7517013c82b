import { openGpu, threads } from "#gpu";
import { DeviceError } from "../errors.ts";
import { CompileAhead } from "./compile_ahead.ts";
import { Device, type KernelFamily } from "./device.ts";
import type { Tuning } from "./tuning.ts";

/** Options of {@link openDevice}. */
export interface OpenDeviceOptions {
  /** A device that the program opened itself; the engine then only uses it. */
  readonly gpuDevice?: GPUDevice;
  /** Adapter to prefer where there are several. */
  readonly powerPreference?: GPUPowerPreference;
  /** `"default"` opens the device at WebGPU's guaranteed limits and without optional features, as a check that the work fits everywhere. */
  readonly limits?: "adapter" | "default";
  /** Kernel family to use instead of the one that suits the adapter. */
  readonly family?: KernelFamily;
  /** Kernels to use instead of the family's, where somebody has timed them. */
  readonly tuning?: Tuning | undefined;
  /** Accept Dawn's null backend, which validates everything and computes nothing. For measuring host time. */
  readonly allowNull?: boolean;
  /** Dawn's own switches, such as `"backend=vulkan"`; Node only. */
  readonly dawn?: readonly string[];
  /** Do not make it the device that tensors are created on by default. */
  readonly asDefault?: boolean;
}

/** Optional features that kernels or tools use where they are there. */
const WANTED_FEATURES = ["subgroups", "shader-f16", "timestamp-query"];

/** Devices that help to compile kernels: more find no kernel left, for the longest one takes as long as several others. */
const MOST_HELPERS = 3;

let defaultDevice: Device | undefined;

/**
 * Opens a GPU: in Node through Dawn (npm `webgpu`), in Deno and browsers through theirs. Asks for all that the adapter offers, prefers
 * hardware over software, and becomes the default device.
 *
 * @example
 * ```ts
 * const device = await openDevice();
 * console.log(device.name, device.stats());
 * ```
 * @throws DeviceError where no adapter is found, or only Dawn's null backend.
 */
export async function openDevice(options: OpenDeviceOptions = {}): Promise<Device> {
  const { gpuDevice, info, another } = options.gpuDevice
    ? { gpuDevice: options.gpuDevice, info: options.gpuDevice.adapterInfo, another: undefined }
    : await requestDevice(options);
  const subgroupSize =
    gpuDevice.features.has("subgroups") && info.subgroupMinSize === info.subgroupMaxSize ? (info.subgroupMinSize ?? 0) : 0;
  const isSoftware = runsOnTheCpu(info);
  const name = info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(" ") || "unnamed adapter";
  const family = options.family ?? (isSoftware ? (subgroupSize > 0 ? "panel" : "portable") : "tile");
  const device = new Device(gpuDevice, { name, isSoftware, subgroupSize, family });
  device.tuning = options.tuning;
  const helpers = Math.min(MOST_HELPERS, threads() - 1);
  if (another && helpers > 0 && compilesAtFirstLaunch(info)) device.compileAhead = new CompileAhead({ open: another, helpers });
  if (options.asDefault !== false) defaultDevice = device;
  return device;
}

/** The device that tensors are created on. Throws DeviceError before the first {@link openDevice}. */
export function currentDevice(): Device {
  if (!defaultDevice) throw new DeviceError("Expected an open device: call `await openDevice()` first");
  return defaultDevice;
}

/** A device, and a way to open another one on the same adapter. */
interface Requested {
  readonly gpuDevice: GPUDevice;
  readonly info: GPUAdapterInfo;
  readonly another: () => Promise<GPUDevice>;
}

async function requestDevice(options: OpenDeviceOptions): Promise<Requested> {
  const gpu = await openGpu({ dawn: options.dawn });
  const powerPreference = options.powerPreference ?? "high-performance";
  const request = async (): Promise<GPUAdapter | null> => (await gpu.requestAdapter({ powerPreference })) ?? (await gpu.requestAdapter());
  const adapter = await request();
  if (!adapter) {
    throw new DeviceError(
      "Expected a GPU adapter but found none: on Linux a Vulkan driver is needed (packages mesa-vulkan-drivers and libvulkan1)",
    );
  }
  if (isNullBackend(adapter.info) && !options.allowNull) {
    throw new DeviceError(
      "Expected a real GPU adapter but found only Dawn's null backend, which computes nothing; pass { allowNull: true } to use it",
    );
  }
  const wanted = options.limits === "default" ? [] : WANTED_FEATURES.filter((f) => adapter.features.has(f as GPUFeatureName));
  const descriptor: GPUDeviceDescriptor = {
    requiredFeatures: wanted as GPUFeatureName[],
    requiredLimits: options.limits === "default" ? {} : adapterLimits(adapter),
  };
  const gpuDevice = await adapter.requestDevice(descriptor);
  return { gpuDevice, info: adapter.info, another: async () => (await request())!.requestDevice(descriptor) }; // an adapter gives one device
}

/** The limits that compute work runs into, at the adapter's best. */
function adapterLimits(adapter: GPUAdapter): Record<string, number> {
  const names = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "maxComputeWorkgroupSizeY",
    "maxComputeWorkgroupsPerDimension",
  ] as const;
  return Object.fromEntries(names.map((name) => [name, adapter.limits[name] as number]));
}

function runsOnTheCpu(info: GPUAdapterInfo): boolean {
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`.toLowerCase();
  return info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|software|basic render|warp/.test(text);
}

/** Lavapipe; other drivers compile when a pipeline is made. */
function compilesAtFirstLaunch(info: GPUAdapterInfo): boolean {
  return /llvmpipe|lavapipe/i.test(`${info.device} ${info.description}`);
}

function isNullBackend(info: GPUAdapterInfo): boolean {
  return /null/i.test(`${info.description} ${info.device} ${info.vendor}`);
}
