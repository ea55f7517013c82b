import type { AttentionHead } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { AttentionInk } from "./attention_ink.tsx";
import { signed } from "./head_grid.tsx";
import { headId, headTitle } from "./head_id.ts";
import type { GrowingInk, WithoutHeads } from "./use_attention.ts";

/** Props of {@link AblationPanel}. */
export interface AblationPanelProps {
  readonly text: string;
  readonly off: readonly AttentionHead[];
  readonly ink: GrowingInk | undefined;
  readonly without: WithoutHeads | undefined;
  readonly onToggle: (head: AttentionHead) => void;
  readonly onClear: () => void;
}

/** What the model writes without the heads that are off, beside what it writes with all, and how much worse it foretells. */
export function AblationPanel({ text, off, ink, without, onToggle, onClear }: AblationPanelProps): VNode {
  return (
    <section class="card ablation" aria-labelledby="ablation-title">
      <h2 id="ablation-title">Without heads</h2>
      {off.length === 0 ? (
        <p class="muted">Switch heads off in the grid: their output becomes zero, and the model writes again with the same draws.</p>
      ) : (
        <>
          <div class="ablation-chips">
            {off.map((head) => (
              <button type="button" key={headId(head)} onClick={() => onToggle(head)} aria-label={`Switch ${headTitle(head)} on again`}>
                {headTitle(head)} <span aria-hidden="true">×</span>
              </button>
            ))}
            <button type="button" class="quiet" onClick={onClear}>
              All on
            </button>
          </div>
          <div class="ablation-inks">
            <figure>
              <AttentionInk {...plain} segments={ink?.segments ?? []} label={`“${text}” with all heads`} />
              <figcaption class="small muted">all heads</figcaption>
            </figure>
            <figure data-testid="ink-without">
              <AttentionInk
                {...plain}
                segments={without?.ink.segments ?? []}
                label={`“${text}” without ${off.map(headTitle).join(", ")}`}
              />
              <figcaption class="small muted">
                without {off.length === 1 ? "it" : `these ${off.length}`}
                {without?.ink.isDone && !without.ink.ended ? "; it did not come to an end" : ""}
              </figcaption>
            </figure>
          </div>
          <dl class="facts ablation-facts">
            <dt>Loss on this ink</dt>
            <dd data-testid="loss-ink">{lossText(without?.onInk && { loss: without.onInk.meanLoss, rise: without.onInk.meanRise })}</dd>
            <dt>Loss on new words</dt>
            <dd data-testid="loss-words">{lossText(without?.onWords)}</dd>
          </dl>
        </>
      )}
    </section>
  );
}

const plain = { glow: undefined, path: undefined, arcs: undefined, focus: null } as const;

function lossText(
  measure: { readonly loss: number; readonly rise: number; readonly standardError?: number; readonly words?: number } | undefined,
): VNode | string {
  if (!measure) return "measuring …";
  const { loss, rise, standardError, words } = measure;
  return (
    <>
      <b>
        {signed(rise)}
        {standardError !== undefined && ` ± ${standardError.toFixed(3)}`}
      </b>{" "}
      nats a token, from {loss.toFixed(3)}
      {words !== undefined && `; ${words} words of the built-in cursive`}
    </>
  );
}
