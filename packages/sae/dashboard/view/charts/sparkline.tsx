import { coordinate } from "@cursive/cursive-model";
import type { VNode } from "preact";

/** A histogram in small, heights from 0 to 1; for the eye alone, as the numbers beside it say the rest. */
export function Sparkline({ heights }: { readonly heights: readonly number[] }): VNode {
  const step = 56 / Math.max(1, heights.length);
  const bars = heights.map((height, i) => {
    const [x, y] = [coordinate(i * step), coordinate(17 - 15 * height)];
    return height > 0 ? `M${x} 17V${y}h${coordinate(step - 0.6)}V17z` : "";
  });
  return (
    <svg class="fv-sparkline" viewBox="0 0 56 18" width="56" height="18" aria-hidden="true">
      <path class="fv-grid" d="M0 17.5H56" />
      <path class="fv-above" d={bars.join("")} />
    </svg>
  );
}
