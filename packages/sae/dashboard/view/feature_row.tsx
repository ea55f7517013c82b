// biome-ignore-all lint/a11y/useSemanticElements: lines of a virtual list are placed one by one, which those of a table cannot be
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and names its active line
import type { VNode } from "preact";
import type { FeatureSummary } from "../feature_pages.ts";
import { Sparkline } from "./charts/sparkline.tsx";
import { percent, signed, spelled } from "./format.ts";

/** What {@link FeatureRow} shows. */
export interface FeatureRowProps {
  readonly feature: FeatureSummary;
  /** A label of one's own. */
  readonly label: string | undefined;
  readonly href: string;
  readonly id: string;
  /** Its line in the whole list, from 1, the head's counted. */
  readonly line: number;
  readonly top: number;
  readonly isAt: boolean;
  readonly isOpen: boolean;
  readonly onOpen: () => void;
}

/** A line of the list of features. */
export function FeatureRow({ feature, label, href, id, line, top, isAt, isOpen, onOpen }: FeatureRowProps): VNode {
  const { index, density, max, state, selectivity, deltaCe, sparkline } = feature;
  const shown = label ?? feature.label;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around has the keyboard
    <div
      role="row"
      id={id}
      class={`fv-row${isAt ? " fv-at" : ""}${isOpen ? " fv-open" : ""}`}
      aria-rowindex={line}
      aria-selected={isOpen}
      style={{ transform: `translateY(${top}px)` }}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a new tab
        event.preventDefault();
        onOpen();
      }}
    >
      <span role="gridcell" class="fv-cell-index">
        <a href={href} tabIndex={-1}>
          {index}
        </a>
      </span>
      <span role="gridcell" class="fv-cell-label" title={shown ?? undefined}>
        {shown ?? <span class="fv-note">{state === "dead" ? "never fires" : "no label"}</span>}
      </span>
      <span role="gridcell" class="fv-cell-state">
        <StateChip state={state} />
      </span>
      <span role="gridcell" class="fv-cell-sparkline">
        <Sparkline heights={sparkline} />
      </span>
      <span role="gridcell" class="fv-cell-density">
        {percent(density)}
      </span>
      <span role="gridcell" class="fv-cell-max">
        <small>max </small>
        {spelled(max)}
      </span>
      <span role="gridcell" class="fv-cell-selectivity">
        {selectivity ? (
          <>
            {spelled(Number(selectivity.bits.toFixed(3)))} <small>bits {selectivity.factor}</small>
          </>
        ) : (
          "–"
        )}
      </span>
      <span role="gridcell" class="fv-cell-cost">
        <small>ΔCE </small>
        {deltaCe === null ? "–" : signed(deltaCe)}
      </span>
    </div>
  );
}

/** Whether a feature lives, in a word with a sign, so that no colour is needed. */
export function StateChip({ state }: { readonly state: FeatureSummary["state"] }): VNode {
  return <span class={`fv-chip fv-${state}`}>{state}</span>;
}
