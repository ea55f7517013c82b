import type { VNode } from "preact";

export interface SegmentStripProps {
  /** A number for each segment, from 0. */
  readonly values: readonly number[];
  /** What fills the height. */
  readonly max: number;
  /** As CSS has it. */
  readonly colour: string;
  /** What the picture shows, in words. */
  readonly label: string;
  readonly selected?: number | null;
  readonly onSelect?: (segment: number) => void;
}

/** A bar for each segment of the ink, in the order in which they are written. */
export function SegmentStrip({ values, max, colour, label, selected, onSelect }: SegmentStripProps): VNode {
  const count = Math.max(1, values.length);
  const pick = (event: MouseEvent): void => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    onSelect?.(Math.min(count - 1, Math.max(0, Math.floor(((event.clientX - left) / width) * count))));
  };
  return (
    <svg
      class={`segment-strip${onSelect ? " selectable" : ""}`}
      viewBox={`0 0 ${count} 1`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
      {...(onSelect && { onClick: pick })}
    >
      {selected !== null && selected !== undefined && <rect class="selected" x={selected} y={0} width={1} height={1} />}
      {values.map((value, i) => {
        const height = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
        return height > 0 ? <rect x={i + 0.1} y={1 - height} width={0.8} height={height} style={{ fill: colour }} /> : null;
      })}
    </svg>
  );
}
