import type { Device } from "@cursive/tensor";
import type { Finding } from "../finding.ts";

/** Optional features, and what each is good for. */
const optional = { subgroups: "subgroups", "shader-f16": "f16", "timestamp-query": "timestamps" } as const;

/** What the adapter offers beyond the necessary, and which kernels follow from it. */
export function checkFeatures(device: Device): Finding {
  const { features, subgroupSize, family, isSoftware } = device;
  const names = Object.keys(optional) as (keyof typeof optional)[];
  const label = (name: keyof typeof optional): string =>
    name === "subgroups" && subgroupSize > 0 ? `subgroups of ${subgroupSize}` : optional[name];
  const [present, absent] = [names.filter((name) => features.has(name)), names.filter((name) => !features.has(name))];
  const parts = [present.map(label).join(", "), absent.length > 0 ? `no ${absent.map(label).join(", no ")}` : ""].filter(Boolean);
  const isSlower = isSoftware && family === "portable";
  return {
    id: "gpu.features",
    name: "features",
    status: isSlower ? "note" : "ok",
    found: `${parts.join("; ")}; kernels of the family ${family}${isSlower ? ": without subgroups of one size, slower by half or more" : ""}`,
    data: { ...Object.fromEntries(names.map((name) => [name, features.has(name)])), subgroupSize, family },
  };
}
