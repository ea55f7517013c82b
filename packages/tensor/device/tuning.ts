import type { Device, KernelFamily } from "./device.ts";

/** A kernel that a product of matrices can be computed by. */
export type ProductForm =
  /** Panels of `columns` columns a lane, `length` long in k. */
  | { readonly family: "panel"; readonly columns: 4 | 8; readonly length: 64 | 128 }
  /** Tiles in which an invocation has so many rows. */
  | { readonly family: "tile"; readonly rows: 2 | 4 | 8 };

/**
 * Which kernels to use in place of those that the adapter's kind suggests: somebody has timed them. A choice is data: devices with the
 * same tuning choose the same kernels, and so compute the same bits.
 */
export interface Tuning {
  /** The family of kernels that the device has, and that is used where nothing else is said. */
  readonly family: KernelFamily;
  /** By {@link productClass}. */
  readonly products: Readonly<Record<string, ProductForm>>;
}

/** Sizes and layout of a product `[m, k] · [k, n]`. */
export interface ProductShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Rows of the left operand lie side by side, as those of a transposed matrix do: gradients of weights are such. */
  readonly transposed: boolean;
}

/** What products are chosen for together: those of about the same sizes, to the nearest powers of two, and the same layout. */
export function productClass({ m, n, k, transposed }: ProductShape): string {
  const [rows, columns, inner] = [m, n, k].map((size) => 2 ** Math.round(Math.log2(Math.max(1, size))));
  return `${rows}×${inner}×${columns}${transposed ? "ᵀ" : ""}`;
}

/** The forms that run on a device and that it may pay to choose from: none where there is one form only. */
export function productForms(device: Device): ProductForm[] {
  if (device.family === "tile") return ([2, 4, 8] as const).map((rows) => ({ family: "tile", rows }));
  if (device.family !== "panel" || ![4, 8, 16].includes(device.subgroupSize)) return [];
  const panels = [
    [4, 64],
    [4, 128],
    [8, 64],
  ] as const;
  return panels.map(([columns, length]) => ({ family: "panel", columns, length }));
}

/** The form that a device's tuning has for a product, if it has any. */
export function tunedForm({ tuning, family }: Device, shape: ProductShape): ProductForm | undefined {
  return tuning?.family === family ? tuning.products[productClass(shape)] : undefined;
}

/** A form in a word or two. */
export function formName(form: ProductForm): string {
  return form.family === "panel" ? `panel ${form.columns}×${form.length}` : `tile ${16 * form.rows}×64`;
}
