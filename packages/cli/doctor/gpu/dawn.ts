import { oneLine } from "../../errors.ts";
import type { Finding } from "../finding.ts";

/** Whether Dawn's native module loads, which is all that is native here. */
export async function checkDawn(load: () => Promise<unknown> = () => import("webgpu")): Promise<Finding> {
  const about = { id: "gpu.dawn", name: "WebGPU" } as const;
  try {
    await load();
    return { ...about, status: "ok", found: "Dawn, by the npm package webgpu, loads" };
  } catch (error) {
    const message = oneLine(error).slice(0, 200);
    const fix = /GLIBC|musl|ld-linux/.test(message)
      ? "use a system with a C library of its kind, such as Debian 12, Ubuntu 22.04 or later"
      : "rm -rf node_modules && npx --yes pnpm@10.34.8 install";
    return { ...about, status: "fail", found: `the npm package webgpu does not load: ${message}`, fix };
  }
}
