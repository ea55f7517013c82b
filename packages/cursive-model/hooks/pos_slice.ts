import type { Tensor } from "@cursive/tensor";
import type { HookSite } from "./sites.ts";

/** Some of the stroke tokens: one of them, whose axis goes, or those from a start to an end by a step. Below 0 counts from the last. */
export type PosSlice = number | readonly [start?: number | null, end?: number | null, step?: number | null];

/** What of an activation belongs to some stroke tokens. Activations of the text, which have no stroke tokens, stay whole. */
export function slicePositions(value: Tensor, site: HookSite, slice: PosSlice): Tensor {
  const axis = site.axes.indexOf("T"); // of a pattern, the one that asks
  return axis < 0 ? value : sliceAxis(value, { axis, slice });
}

/** A part of an activation along one axis. */
export function sliceAxis(value: Tensor, { axis, slice }: { readonly axis: number; readonly slice: PosSlice }): Tensor {
  if (typeof slice === "number") return value.select(axis, slice);
  return value.slice(value.shape.map((_, i) => (i === axis ? slice : [])));
}

/** How many of `length` stroke tokens a slice keeps. */
export function slicedLength(length: number, slice: PosSlice): number {
  if (typeof slice === "number") return 1;
  const place = (at: number | null | undefined, otherwise: number): number =>
    at === null || at === undefined ? otherwise : Math.min(length, Math.max(0, at < 0 ? length + at : at));
  return Math.max(0, Math.ceil((place(slice[1], length) - place(slice[0], 0)) / (slice[2] ?? 1)));
}
