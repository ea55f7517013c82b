import { type Device, productForms } from "@cursive/tensor";
import { tuneProducts } from "../../tuning/tune_products.ts";
import { isTuningOff, readTuning, tuningPath, writeTuning } from "../../tuning/tuning_file.ts";
import { tuningName } from "../../tuning/tuning_name.ts";
import type { Finding } from "../finding.ts";
import { homely } from "../homely.ts";

/** Times the kernels that products can be computed by, and keeps for this adapter which to use. */
export async function tune(device: Device, progress: (text: string) => void): Promise<void> {
  if (productForms(device).length === 0) return;
  await writeTuning(device, await tuneProducts(device, { progress }));
}

/** Which kernels were chosen by timing them, and where that is kept. */
export async function checkTuning(device: Device): Promise<Finding> {
  const about = { id: "gpu.tuning", name: "tuning", status: "ok" } as const;
  if (productForms(device).length === 0)
    return {
      ...about,
      found: `nothing to choose: products have one form of ${device.family} kernels`,
      data: { tuned: null, isOff: isTuningOff() },
    };
  const file = await readTuning(device);
  if (!file)
    return {
      ...about,
      found: "kernels by the kind of adapter; `doctor --tune` times the others",
      data: { tuned: null, isOff: isTuningOff() },
    };
  const { products, tuned } = file;
  const chosen = products.filter(({ chosen }) => chosen !== null);
  const name = tuningName(file.tuning);
  const off = isTuningOff() ? "; not used, as CURSIVE_TUNING says" : "";
  const examples = chosen.slice(0, 3).map(({ product, chosen }) => `${product} by ${chosen}`);
  const what = chosen.length === 0 ? "the usual kernels are the fastest" : `${examples.join(", ")}${chosen.length > 3 ? ", ..." : ""}`;
  return {
    ...about,
    found: `${chosen.length} of ${products.length} products by other kernels than the usual${name ? ` (${name})` : ""}: ${what}; ${tuned.slice(0, 10)}, ${homely(await tuningPath(device))}${off}`,
    data: { tuned, name, path: homely(await tuningPath(device)), isOff: isTuningOff(), products },
  };
}
