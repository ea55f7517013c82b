import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { FeaturePage, FeatureSummary } from "../feature_pages.ts";
import { StateChip } from "./feature_row.tsx";
import { percent, plural, signed, spelled } from "./format.ts";
import type { LabelStore } from "./label_store.ts";

/** What {@link FeatureHeader} shows. */
export interface FeatureHeaderProps {
  readonly summary: FeatureSummary;
  /** Null while it is on its way. */
  readonly page: FeaturePage | null;
  readonly labels: LabelStore;
  /** The address of the list. */
  readonly listHref: string;
  /** Addresses of the features before and after it in the list; null at its ends. */
  readonly previousHref?: string | null;
  readonly nextHref?: string | null;
}

/** A feature's name, which can be changed, and its numbers. */
export function FeatureHeader({ summary, page, labels, listHref, previousHref, nextHref }: FeatureHeaderProps): VNode {
  const { index, density, max, state, label, deltaCe, selectivity } = summary;
  const own = labels.labels.value.get(index);
  const isEditing = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isEditing.value) input.current?.select();
  }, [isEditing.value]);
  useEffect(() => {
    isEditing.value = false;
  }, [index]);
  const save = (text: string): void => {
    labels.set(index, text.trim() === (label ?? "") ? "" : text);
    isEditing.value = false;
  };
  return (
    <header class="fv-feature-header">
      <p class="fv-feature-name">
        <a class="fv-back" href={listHref}>
          All features
        </a>
        <span>Feature {index}</span>
        <StateChip state={state} />
        <span class="fv-steps">
          {previousHref && (
            <a href={previousHref} aria-label="Previous feature" aria-keyshortcuts="k">
              ← <span class="fv-word">Previous</span>
            </a>
          )}
          {nextHref && (
            <a href={nextHref} aria-label="Next feature" aria-keyshortcuts="j">
              <span class="fv-word">Next</span> →
            </a>
          )}
        </span>
      </p>
      {isEditing.value ? (
        <form
          class="fv-label-form"
          onSubmit={(event) => {
            event.preventDefault();
            save(input.current!.value);
          }}
        >
          <input
            ref={input}
            aria-label={`label of feature ${index}`}
            defaultValue={own ?? label ?? ""}
            onKeyDown={(event) => {
              if (event.key !== "Escape") return;
              event.stopPropagation();
              isEditing.value = false;
            }}
          />
          <button type="submit">Save</button>
          <button type="button" onClick={() => save("")}>
            {label ? "Use the one found" : "Remove"}
          </button>
        </form>
      ) : (
        <div class="fv-label">
          <h2>{own ?? label ?? (state === "dead" ? "never fires" : "no label")}</h2>
          <button
            type="button"
            onClick={() => {
              isEditing.value = true;
            }}
          >
            Edit label
          </button>
          {own !== undefined && <span class="fv-note">{label ? `yours; found: ${label}` : "yours"}</span>}
        </div>
      )}
      <dl class="fv-facts fv-wide">
        <Fact name="density" value={percent(density)} more={page ? plural(page.firings, "firing") : ""} />
        <Fact name="max" value={spelled(max)} />
        {deltaCe !== null && <Fact name="ΔCE if ablated" value={signed(deltaCe)} more="nats a token" />}
        <Fact
          name="selectivity"
          value={selectivity ? `${spelled(Number(selectivity.bits.toFixed(3)))} bits` : "–"}
          more={selectivity ? `on ${selectivity.factor}, beyond chance` : ""}
        />
        <Fact name="decoder norm" value={page ? spelled(page.decoderNorm) : "…"} />
      </dl>
    </header>
  );
}

function Fact({ name, value, more = "" }: { readonly name: string; readonly value: string; readonly more?: string }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value} {more && <small>{more}</small>}
      </dd>
    </div>
  );
}
