import process from "node:process";
import type { Device } from "@cursive/tensor";

/** What to do about an adapter that computes wrongly or too little: another one, if this system can have it. */
export function otherDriver({ isSoftware, name }: Pick<Device, "isSoftware" | "name">): string {
  if (process.platform !== "linux") return "update the system and the GPU's driver";
  const software = isSoftware && /llvmpipe/.test(name) ? "swiftshader" : "lavapipe";
  return `CURSIVE_DRIVER=${software} pnpm cli doctor --download   # another driver; the same variable works for train`;
}
