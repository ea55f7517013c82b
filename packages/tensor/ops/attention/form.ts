import type { Device } from "../../device/device.ts";
import { type Kernel, kernel } from "../../device/kernel.ts";

/** A form of the attention kernels: which pipelines, and how many workgroups. */
export interface Form {
  readonly kernel: (entry: "forward" | "backward_query" | "backward_key_value") => Kernel;
  /** Rows are queries, in backward_key_value keys. */
  readonly workgroups: (heads: number, rows: number) => number;
  /** Σ output · gradient of every query, where no query gradient is computed; one for all forms, 64 rows a workgroup. */
  readonly rowDots: Kernel;
}

/** What a form depends on besides the device. */
export interface FormOptions {
  readonly headSize: number;
  /** Head size, offsets and strides are multiples of 4. */
  readonly isAligned: boolean;
}

/** Widest head: the portable kernels' private arrays take a row. */
export const MAX_HEAD_SIZE = 128;

// Up to these head sizes kernels keep rows in registers, spelled out. Beyond, compiling takes too long on software adapters, and
// hardware has too few registers.
const WIDEST_PORTABLE = 32;
const WIDEST_PANEL = 32;
const WIDEST_TILE = 64;

/** The form for a device's kernel family; the portable one where the family's needs aligned operands or narrower heads. */
export function chooseForm(device: Device, { headSize, isAligned }: FormOptions): Form {
  const UNROLL = headSize <= WIDEST_PORTABLE;
  const portable = { D4: UNROLL ? Math.ceil(headSize / 4) : MAX_HEAD_SIZE / 4, VEC4: isAligned, UNROLL };
  const rowDots = kernel("attention_portable", "row_dots", portable);
  if (device.family === "panel" && isAligned && headSize <= WIDEST_PANEL && [4, 8, 16].includes(device.subgroupSize)) {
    const defines = { D4: headSize / 4, SG: device.subgroupSize, R: headSize <= 16 ? 4 : 1, B: 4 };
    return {
      kernel: (entry) => kernel("attention_panel", entry, defines),
      workgroups: (heads, rows) => heads * Math.ceil(rows / (defines.SG * defines.R)),
      rowDots,
    };
  }
  if (device.family === "tile" && isAligned && headSize <= WIDEST_TILE) {
    // A tile of two tensors takes 8 KiB, half of what every adapter has.
    const TILE = headSize <= 16 ? 64 : headSize <= 32 ? 32 : 16;
    const defines = { D4: headSize / 4, ROWS: 64, R: headSize <= 16 ? 2 : 1, PARTS: 4, TILE, B: 4 };
    return {
      kernel: (entry) => kernel("attention_tile", entry, defines),
      workgroups: (heads, rows) => heads * Math.ceil(rows / defines.ROWS),
      rowDots,
    };
  }
  return {
    kernel: (entry) => kernel("attention_portable", entry, portable),
    workgroups: (heads, rows) => Math.ceil((heads * rows) / 64),
    rowDots,
  };
}
