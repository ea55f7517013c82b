import type { Device } from "@cursive/tensor";
import { engineNeeds, type Limits, limitNames } from "@cursive/tensor/self_test";
import { presets } from "../../config/presets.ts";
import type { PresetName } from "../../config/run_config.ts";
import { megabytes } from "../../terminal/progress.ts";
import type { Finding } from "../finding.ts";
import { largestTensor } from "./needs.ts";
import { otherDriver } from "./other_driver.ts";

/** Whether the adapter's limits suffice for the kernels, and for which presets. */
export function checkLimits(device: Pick<Device, "limits" | "isSoftware" | "name">): Finding {
  const limits = Object.fromEntries(limitNames.map((name) => [name, device.limits[name]])) as unknown as Limits;
  const needed = Object.entries(engineNeeds) as [keyof typeof engineNeeds, number][];
  const short = needed.filter(([name, need]) => limits[name] < need).map(([name, need]) => `${name} ${limits[name]} of ${need}`);
  const largest = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const names = Object.keys(presets) as PresetName[];
  const bytes = Object.fromEntries(names.map((name) => [name, largestTensor(presets[name].config)])) as Record<PresetName, number>;
  const fitting = names.filter((name) => bytes[name] <= largest);
  const tooLarge = names.filter((name) => bytes[name] > largest);
  const about = { id: "gpu.limits", name: "limits", data: { limits, largestTensor: bytes, fitting } } as const;
  const better = otherDriver(device);
  if (short.length > 0) return { ...about, status: "fail", found: `less than the kernels need: ${short.join(", ")}`, fix: better };
  if (!fitting.includes("tiny")) return { ...about, status: "fail", found: `tensors of at most ${megabytes(largest)}: not enough for ${tooLarge.join(", ")}`, fix: better }; // biome-ignore format: one line
  const {
    maxStorageBuffersPerShaderStage: bindings,
    maxComputeWorkgroupStorageSize: shared,
    maxComputeInvocationsPerWorkgroup: invocations,
  } = limits;
  const found = `tensors to ${megabytes(largest)}, ${bindings} bindings, ${shared / 1024} KiB shared by ${invocations} invocations`;
  if (tooLarge.length === 0) return { ...about, status: "ok", found: `${found}; enough for ${fitting.join(", ")}` };
  const most = Math.max(1, Math.floor((presets[tooLarge[0]!].config.training.batchSize * largest) / bytes[tooLarge[0]!]));
  return {
    ...about,
    status: "warn",
    found: `${found}; not enough for ${tooLarge.map((name) => `${name} (${megabytes(bytes[name])})`).join(", ")}`,
    fix: `pnpm cli train --preset ${tooLarge[0]} --set training.batchSize=${most}`,
  };
}
