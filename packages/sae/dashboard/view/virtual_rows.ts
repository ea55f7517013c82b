/** Which rows of a long list have to exist, for where it is scrolled to. */
export interface VirtualWindow {
  /** From the first up to before the last. */
  readonly first: number;
  readonly last: number;
}

/**
 * The rows of equal height that a window of a list shows, with some around it so that quick scrolling meets no gap.
 *
 * @example
 * ```ts
 * visibleRows({ count: 4096, rowHeight: 48, scrollTop: 960, height: 480 }); // { first: 14, last: 36 }
 * ```
 */
export function visibleRows({
  count,
  rowHeight,
  scrollTop,
  height,
  around = 6,
}: {
  readonly count: number;
  readonly rowHeight: number;
  readonly scrollTop: number;
  readonly height: number;
  readonly around?: number;
}): VirtualWindow {
  const first = Math.max(0, Math.min(count, Math.floor(scrollTop / rowHeight)) - around);
  return { first, last: Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + around) };
}

/** Where a list has to be scrolled to so that a row is wholly seen: as near as possible to where it is. */
export function scrollToRow(
  row: number,
  { rowHeight, scrollTop, height }: { readonly rowHeight: number; readonly scrollTop: number; readonly height: number },
): number {
  return Math.max(0, Math.min(row * rowHeight, Math.max(scrollTop, (row + 1) * rowHeight - height)));
}
