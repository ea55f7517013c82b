import type { Device } from "../device/device.ts";
import { collapse, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense } from "./copy.ts";

/** A tensor as rows of its last axis: element c of row r lies at `offset + r · stride + c` of its storage. */
export interface Rows {
  readonly tensor: Tensor;
  readonly rows: number;
  readonly length: number;
  readonly stride: number;
}

/** A tensor as rows; copied only if its leading axes are no single step or its last one has gaps. */
export function rowsOf(x: Tensor): Rows {
  const length = x.shape.at(-1)!;
  const leading = x.shape.slice(0, -1);
  const { strides } = collapse(leading, [x.strides.slice(0, -1)]);
  if (strides[0]!.length > 1 || (length > 1 && x.strides.at(-1) !== 1)) return rowsOf(dense(x));
  return { tensor: x, rows: sizeOf(leading), length, stride: strides[0]![0] ?? length };
}

/** Whether rows can be read as vec4: their lengths, offsets and strides are multiples of 4. */
export function inFours(...numbers: readonly number[]): boolean {
  return numbers.every((n) => n % 4 === 0);
}

/** Template parameters of the kernels that work row by row. */
export interface RowForm {
  readonly [name: string]: number;
  /** 0: an invocation a row; 1: a subgroup a row; 2: some lanes of a workgroup a row. */
  readonly FORM: number;
  readonly LANES: number;
  readonly WORKGROUP: number;
}

/** Rows shorter than this are left to one invocation each: the lanes of a group would idle. */
const SHORTEST_SHARED_ROW = 16;
/** With so many rows a software adapter is busy with one invocation each, and spares itself the work between lanes. */
const MANY_ROWS = 1024;

/** How rows are best shared between lanes on a device. */
export function rowForm(device: Device, about: { rows: number; length: number }): RowForm {
  const { rows, length } = about;
  const alone = { FORM: 0, LANES: 1, WORKGROUP: 64 };
  if (device.family === "portable" || length < SHORTEST_SHARED_ROW) return alone;
  // Without subgroups of a fixed size the panel family falls back on the portable form.
  if (device.family === "panel") {
    return device.subgroupSize === 0 || rows >= MANY_ROWS ? alone : { FORM: 1, LANES: device.subgroupSize, WORKGROUP: 64 };
  }
  if (length <= 128) return { FORM: 2, LANES: 16, WORKGROUP: 64 };
  return length <= 1024 ? { FORM: 2, LANES: 64, WORKGROUP: 64 } : { FORM: 2, LANES: 256, WORKGROUP: 256 };
}

/** Workgroups for so many rows. */
export function rowGroups(rows: number, { LANES, WORKGROUP }: RowForm): number {
  return Math.ceil((rows * LANES) / WORKGROUP);
}

/** Invocations that keep an adapter busy. */
const BUSY_SOFTWARE = 2048;
const BUSY = 65_536;
/** Rows that one invocation may add up: bounds the rounding error. */
const LONGEST_STRETCH = 1024;

/** In how many stretches rows are added up, where an invocation has a column of one of them. */
export function stretchesOf({ isSoftware }: Device, { rows, columns }: { rows: number; columns: number }): number {
  const busy = Math.ceil((isSoftware ? BUSY_SOFTWARE : BUSY) / columns);
  return Math.max(1, Math.min(rows, Math.max(busy, Math.ceil(rows / LONGEST_STRETCH))));
}
