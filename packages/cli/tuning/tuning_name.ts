import { createHash } from "node:crypto";
import { formName, type Tuning } from "@cursive/tensor";

/** A short name for the kernels that a tuning chooses; null for those of the family. Equal names, equal bits. */
export function tuningName(tuning: Tuning | undefined): string | null {
  if (!tuning || Object.keys(tuning.products).length === 0) return null;
  const choices = Object.entries(tuning.products).map(([product, form]) => `${product} ${formName(form)}`);
  return createHash("sha256").update(choices.sort().join("\n")).digest("hex").slice(0, 8);
}
