import type { AttentionHead, AttentionKind, HeadAblation, HeadAttention } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { headId, headTitle, isSameHead } from "./head_id.ts";
import { MapCanvas } from "./map_canvas.tsx";
import type { SegmentMap } from "./segment_map.ts";

/** A head with its map by movements. */
export interface MappedHead {
  readonly head: HeadAttention;
  readonly map: SegmentMap;
}

/** Props of {@link HeadGrid}. */
export interface HeadGridProps {
  readonly kind: AttentionKind;
  readonly heads: readonly MappedHead[];
  readonly chosen: AttentionHead;
  readonly off: readonly AttentionHead[];
  /** What each head is worth, once it was measured. */
  readonly ablations: readonly HeadAblation[] | undefined;
  readonly onChoose: (head: AttentionHead) => void;
  readonly onToggle: (head: AttentionHead) => void;
}

/** Layers down, heads across: a thumbnail of each head's map with its figures; below each, the switch that hooks it off. */
export function HeadGrid({ kind, heads, chosen, off, ablations, onChoose, onToggle }: HeadGridProps): VNode {
  const layers = [...new Set(heads.map(({ head }) => head.layer))];
  const most = Math.max(1e-9, ...(ablations ?? []).map(({ real }) => real.loss));
  return (
    <section class="head-grid" aria-label={kind === "cross_attn" ? "Heads of cross-attention" : "Heads of self-attention"}>
      {layers.map((layer) => (
        <div class="head-row" key={layer}>
          <span class="head-layer" title={`Layer ${layer}`}>
            {layer}
          </span>
          {heads
            .filter(({ head }) => head.layer === layer)
            .map(({ head, map }) => {
              const isOff = off.some((other) => isSameHead(other, head));
              const ablation = ablations?.find((other) => isSameHead(other, head));
              return (
                <div class={`head-cell${isOff ? " is-off" : ""}`} key={headId(head)}>
                  <button type="button" class="head-choose" aria-pressed={isSameHead(head, chosen)} onClick={() => onChoose(head)}>
                    <MapCanvas map={map} />
                    <span class="visually-hidden">{headTitle(head)}: </span>
                    <span class="head-figures">
                      {shownFigures(head).map(([name, value]) => (
                        <span key={name}>
                          {name} <b>{value}</b>
                        </span>
                      ))}
                    </span>
                  </button>
                  {ablation && (
                    <span
                      class="head-worth"
                      title={`Without it: ${signed(ablation.real.loss)} ± ${ablation.real.standardError.toFixed(3)} nats a token`}
                    >
                      <span class="head-worth-bar" style={{ width: `${(100 * Math.max(0, ablation.real.loss)) / most}%` }} />
                      {signed(ablation.real.loss)}
                    </span>
                  )}
                  <button
                    type="button"
                    role="switch"
                    class="head-switch"
                    aria-checked={!isOff}
                    title={isOff ? "Switch it on again" : "Hook it off"}
                    onClick={() => onToggle(head)}
                  >
                    <span class="visually-hidden">{headTitle(head)} </span>
                    <span class="switch-track" aria-hidden="true" />
                    {isOff ? "off" : "on"}
                  </button>
                </div>
              );
            })}
        </div>
      ))}
    </section>
  );
}

/** A number with its sign: `+0.032`, `−0.004`. */
export function signed(value: number, digits = 3): string {
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(text) !== 0 ? "−" : "+"}${text}`;
}

/** A figure between −1 and 1 in few characters; a dash where it cannot be told. */
export function figure(value: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
}

function shownFigures(head: HeadAttention): [name: string, value: string][] {
  const last: [string, string] =
    head.attention === "cross_attn" ? ["pad", `${Math.round(100 * head.padMass)}%`] : ["first", `${Math.round(100 * head.firstMass)}%`];
  return [["diag", figure(head.diagonality)], ["bits", head.entropy.toFixed(1)], last];
}
