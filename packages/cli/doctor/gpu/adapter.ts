import process from "node:process";
import type { Device } from "@cursive/tensor";
import { describeAdapter } from "../../run/environment.ts";
import type { Finding } from "../finding.ts";
import type { SystemFacts } from "./system_facts.ts";

const backends: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: "Metal", win32: "Direct3D 12", linux: "Vulkan" };

const FASTER = "CURSIVE_DRIVER=lavapipe pnpm cli doctor --download   # several times faster than SwiftShader";

/** The adapter that was opened: its name, whether it is hardware, and whether a better one lies idle. */
export function checkAdapter(device: Device, facts: SystemFacts | undefined): Finding {
  const about = { id: "gpu.adapter", name: "adapter" } as const;
  const backend = backends[process.platform] ?? process.platform;
  const data = { ...describeAdapter(device), backend, idle: [] as readonly string[] };
  if (!device.isSoftware) return { ...about, status: "ok", found: `${device.name}, hardware, by ${backend}`, data };
  const software = `${device.name}, software, by ${backend}`;
  const gpus = facts?.gpus ?? [];
  if (gpus.length === 0) {
    const fix = /swiftshader/i.test(device.name) && process.platform === "linux" ? { fix: FASTER } : {};
    return { ...about, status: "note", found: `${software}: computes on the processor`, ...fix, data };
  }
  return {
    ...about,
    status: "warn",
    found: `${software}, while a GPU by ${gpus.join(" and ")} lies idle`,
    fix: facts?.forbidden.length
      ? 'sudo usermod -aG render,video "$USER"   # then log in again'
      : `install the Vulkan driver by ${gpus[0]}${process.env.VK_ICD_FILENAMES ? ", and unset VK_ICD_FILENAMES" : ""}`,
    data: { ...data, idle: gpus },
  };
}
