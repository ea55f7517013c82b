import process from "node:process";
import type { Finding } from "../finding.ts";
import { homely } from "../homely.ts";

/** The variables by which the Vulkan loader is told of drivers. */
export const driverVariables = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"] as const;

/** What `scripts/with_gpu.mjs` decided before this program started, which it leaves in `CURSIVE_DRIVER_CHOICE`. */
export interface DriverChoice {
  /** `none`: no driver works, see `message`; otherwise why this one was taken. */
  readonly why: "system" | "fetched" | "forced" | "none";
  readonly driver?: string;
  readonly message?: string;
  /** The command that installs a driver on this system. */
  readonly install?: string;
  /** A download was allowed, and did not help. */
  readonly triedDownload?: boolean;
}

/** The choice that the start left, if this was started by `pnpm cli`. */
export function driverChoice(env: NodeJS.ProcessEnv = process.env): DriverChoice | undefined {
  try {
    return JSON.parse(env.CURSIVE_DRIVER_CHOICE ?? "") as DriverChoice;
  } catch {
    return undefined;
  }
}

/** Where WebGPU's driver comes from, and who chose it. */
export function checkDriver(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): Finding {
  const about = { id: "gpu.driver", name: "driver" } as const;
  const builtIn = { darwin: "Metal", win32: "Direct3D 12" }[platform as string];
  if (builtIn)
    return { ...about, status: "ok", found: `${builtIn}, part of the system: nothing to install`, data: { why: "system", variables: {} } };
  const variables = Object.fromEntries(driverVariables.filter((name) => env[name]).map((name) => [name, homely(env[name]!)]));
  const choice = driverChoice(env);
  const own = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const data = { why: choice?.why ?? null, driver: choice?.driver ?? null, variables };
  if (choice?.why === "none") return { ...about, status: "skip", found: "none works, see adapter", data };
  const found =
    choice?.why === "fetched"
      ? `${choice.driver}, fetched by this program: none of the system's works with Dawn`
      : choice?.why === "forced"
        ? `${choice.driver}, which --driver or CURSIVE_DRIVER asks for`
        : own.length > 0
          ? `the one that ${own.join(" ")} names`
          : "the system's own Vulkan driver";
  return { ...about, status: "ok", found, data };
}
