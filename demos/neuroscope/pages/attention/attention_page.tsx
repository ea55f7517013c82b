import { type AttentionHead, type AttentionKind, attentionHeads } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { announce } from "../../app/announce.ts";
import { useBench } from "../../app/bench_context.ts";
import { useShortcuts } from "../../app/keys.ts";
import { LoadingStages } from "../../app/loading_stages.tsx";
import { route, setParams } from "../../app/route.ts";
import { useMatch } from "../../app/use_match.ts";
import { LARGEST_SEED, readWriting, writingRanges } from "../../app/writing.ts";
import type { ModelFacts } from "../../engine/model_file.ts";
import { fitWord } from "../write/text_plan.ts";
import { AblationPanel } from "./ablation_panel.tsx";
import { AttentionInk } from "./attention_ink.tsx";
import { AttentionMapView } from "./attention_map.tsx";
import { type Focus, focusId, focusNamed } from "./focus.ts";
import { figure, HeadGrid, type MappedHead } from "./head_grid.tsx";
import { headId, headsNamed, headTitle, isSameHead } from "./head_id.ts";
import { LetterBars, shareText } from "./letter_bars.tsx";
import { columnOf, letterMap, meanRow, type RowMode, rowModes, rowOf, segmentMap } from "./segment_map.ts";
import { useAttention, useHeadMeasurement } from "./use_attention.ts";

const kindNames: Readonly<Record<AttentionKind, string>> = { cross_attn: "to the text", attn: "to earlier ink" };
const rowNames: Readonly<Record<RowMode, { readonly short: string; readonly long: string }>> = {
  theta: { short: "θ", long: "choosing a direction" },
  r: { short: "r", long: "choosing a length" },
  average: { short: "average", long: "both" },
};

/** Where each head looks while the model writes, and what becomes of the writing without it. */
export function AttentionPage(): VNode {
  const bench = useBench();
  const status = bench.status.value;
  const model = bench.model.value;
  if (!model)
    return (
      <>
        <h1>Attention</h1>
        {status.kind === "loading" && <LoadingStages stages={status.stages} />}
      </>
    );
  return <AttentionOf model={model} />;
}

function AttentionOf({ model }: { readonly model: ModelFacts }): VNode {
  const { params } = route.value;
  const { nLayer, nHead } = model.config;
  const sizes = { nLayer, nHead };
  const heads = useMemo(() => attentionHeads(sizes), [nLayer, nHead]);
  const { text: typed, seed, temperature, topK } = readWriting(params);
  const { text, note } = fitWord(typed, model);
  const mode = rowModes.find((name) => name === params.get("rows")) ?? "average";
  const off = headsNamed(params.get("off") ?? "", sizes);
  const chosen = headsNamed(params.get("head") ?? "", sizes)[0] ?? { attention: "cross_attn", layer: Math.min(1, nLayer - 1), head: 0 };
  const { ink, reading, without, error } = useAttention({ text, seed, temperature, topK, off });
  const measurement = useHeadMeasurement();
  const [hovered, setHovered] = useState<Focus>(null);
  const isWide = useMatch("(min-width: 641px)");

  const segments = ink?.segments ?? [];
  const mapped = useMemo(
    (): MappedHead[] => (reading ? reading.heads.map((head) => ({ head, map: segmentMap(head, segments, mode) })) : []),
    [reading, mode],
  );
  const current = mapped.find(({ head }) => isSameHead(head, chosen));
  const letters = reading?.characters ?? [...text];
  const path = useMemo(() => (reading ? segments.map(({ radiusIndex }) => reading.path[radiusIndex!]!) : undefined), [reading]);
  const isSelf = chosen.attention === "attn";
  const byLetter = useMemo(
    () => current && path && letterMap(current.map, { path, letters: letters.length, isSelf }),
    [current, path, letters.length, isSelf],
  );
  const locked = focusNamed(params.get("lock") ?? "", { letters: letters.length, segments: segments.length });
  const focus = locked ?? hovered;

  const hover = (next: Focus): void => setHovered(next);
  const lock = (next: Focus): void => setParams({ lock: focusId(next) === focusId(locked) ? null : focusId(next) || null });
  const choose = (head: AttentionHead): void => setParams({ head: headId(head), lock: null });
  const toggle = (head: AttentionHead): void => {
    const next = off.some((other) => isSameHead(other, head)) ? off.filter((other) => !isSameHead(other, head)) : [...off, head];
    setParams({ off: next.map(headId).join() || null });
  };
  const step = (by: { readonly layer?: number; readonly head?: number }): void => {
    const layer = (chosen.layer + (by.layer ?? 0) + nLayer) % nLayer;
    choose({ attention: chosen.attention, layer, head: (chosen.head + (by.head ?? 0) + nHead) % nHead });
  };
  const scrub = (by: number): void => {
    if (segments.length === 0) return;
    const from = focus?.kind === "segment" ? focus.index : by > 0 ? -1 : segments.length;
    const index = Math.max(0, Math.min(segments.length - 1, from + by));
    setParams({ lock: focusId({ kind: "segment", index }) });
  };
  useShortcuts("Attention", [
    { key: "[", does: "Layer before", run: () => step({ layer: -1 }) },
    { key: "]", does: "Next layer", run: () => step({ layer: 1 }) },
    { key: ",", does: "Head before", run: () => step({ head: -1 }) },
    { key: ".", does: "Next head", run: () => step({ head: 1 }) },
    { key: "o", does: "Hook the head off, or on again", run: () => toggle(chosen) },
    { key: "arrowleft", does: "Movement before", run: () => scrub(-1) },
    { key: "arrowright", does: "Next movement", run: () => scrub(1) },
    { key: "r", does: "Write again with another seed", run: () => setParams({ seed: seed + 1, lock: null }) },
    {
      key: "escape",
      does: "Let go of what is locked",
      run: () => {
        setHovered(null);
        setParams({ lock: null });
      },
    },
  ]);

  const shares = current && byLetter ? sharesShown({ focus, map: isSelf ? byLetter : current.map }) : undefined;
  const arcs =
    focus?.kind === "segment" && current && isSelf && focus.index < current.map.segments ? rowOf(current.map, focus.index) : undefined;
  const glow = focus?.kind === "letter" && byLetter ? columnOf(byLetter, focus.index) : arcs;
  const summary = current ? describe({ head: chosen, focus, letters, shares, count: segments.length }) : "";
  useEffect(() => {
    if (locked && summary) announce(summary);
  }, [focusId(locked), headId(chosen), mode]);

  const drawing = [
    { name: "temperature", label: "Temperature", value: temperature, shown: temperature.toFixed(2) },
    { name: "topK", label: "Top k", value: topK, shown: topK === 0 ? "all" : String(topK) },
  ] as const;

  const settings = (
    <>
      <div class="field attention-seed">
        <label for="attention-seed">Seed</label>
        <input
          id="attention-seed"
          type="number"
          min={0}
          max={LARGEST_SEED}
          step={1}
          value={seed}
          onInput={({ currentTarget: { valueAsNumber, validity } }) => {
            if (validity.valid && Number.isInteger(valueAsNumber)) setParams({ seed: valueAsNumber, lock: null });
          }}
        />
      </div>
      {drawing.map(({ name, label, value, shown }) => (
        <div class="field attention-temperature" key={name}>
          <label for={`attention-${name}`}>{label}</label>
          <output for={`attention-${name}`}>{shown}</output>
          <input
            id={`attention-${name}`}
            type="range"
            min={writingRanges[name].least}
            max={writingRanges[name].most}
            step={writingRanges[name].step}
            value={value}
            aria-valuetext={shown}
            onInput={(event) => setParams({ [name]: event.currentTarget.value, lock: null })}
          />
        </div>
      ))}
      <fieldset class="attention-rows">
        <legend>Seen while</legend>
        {rowModes.map((name) => (
          <label key={name} class="attention-row-mode" title={rowNames[name].long}>
            <input
              type="radio"
              name="rows"
              value={name}
              checked={mode === name}
              onChange={() => setParams({ rows: name === "average" ? null : name })}
            />
            {rowNames[name].short}
            <span class="visually-hidden">{rowNames[name].long}</span>
          </label>
        ))}
      </fieldset>
    </>
  );
  return (
    <div class="attention-page">
      <h1>Attention</h1>
      <p class="muted">Where each head looks as the model writes. Point at it, click to hold; switch heads off.</p>
      <form class="attention-controls" onSubmit={(event) => event.preventDefault()}>
        <div class="field attention-text">
          <label for="attention-text">Word</label>
          <input
            id="attention-text"
            type="text"
            value={typed}
            aria-describedby={note ? "attention-text-note" : undefined}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            onInput={(event) => setParams({ text: event.currentTarget.value, lock: null })}
          />
          {note && (
            <p id="attention-text-note" class="field-note">
              {note}
            </p>
          )}
        </div>
        {/* On a phone the word and the picture come first. */}
        {isWide ? (
          settings
        ) : (
          <details class="attention-more">
            <summary>Seed, temperature, top k, rows</summary>
            <div>{settings}</div>
          </details>
        )}
      </form>
      {error && (
        <div class="notice bad" role="alert">
          {error}
        </div>
      )}

      <div class="attention-columns">
        <div class="attention-heads card">
          {(["cross_attn", "attn"] as const).map((kind) => (
            <div key={kind}>
              <h2>
                {kind === "cross_attn" ? "Cross-attention" : "Self-attention"} <span class="muted small">{kindNames[kind]}</span>
              </h2>
              {mapped.length === 0 ? (
                <div class="head-grid-waiting" style={{ "--heads": nHead, "--layers": nLayer }} aria-hidden="true">
                  {heads
                    .filter(({ attention }) => attention === kind)
                    .map((head) => (
                      <span key={headId(head)} />
                    ))}
                </div>
              ) : (
                <HeadGrid
                  kind={kind}
                  heads={mapped.filter(({ head }) => head.attention === kind)}
                  chosen={chosen}
                  off={off}
                  ablations={measurement.found?.heads}
                  onChoose={choose}
                  onToggle={toggle}
                />
              )}
            </div>
          ))}
          <div class="attention-measure">
            {measurement.progress ? (
              <>
                <progress max={measurement.progress.total} value={measurement.progress.done} aria-label="Measuring every head" />
                <button type="button" onClick={measurement.stop}>
                  Stop
                </button>
              </>
            ) : (
              <button type="button" disabled={!reading} onClick={measurement.start}>
                {measurement.found ? "Measure every head again" : "Measure what every head is worth"}
              </button>
            )}
          </div>
          <p class="small muted attention-legend">
            Rows are layers, columns heads, both from 0. In a map letters go down, then all padding; movements go across. <b>diag</b>: how
            strictly attention moves on as the ink does, from 1 over 0 to −1. <b>bits</b>: entropy, 0 for one place alone. <b>pad</b>: share
            on padding; <b>first</b>: share on the first token.
          </p>
        </div>

        <div class="attention-stage">
          <section class="card" aria-labelledby="attention-head-title">
            <div class="attention-head-line">
              <h2 id="attention-head-title">
                {headTitle(chosen)} {off.some((head) => isSameHead(head, chosen)) && <span class="chip warn">off</span>}
              </h2>
              {current && (
                <span class="small muted">
                  diagonality {figure(current.head.diagonality)} · {current.head.entropy.toFixed(2)} bits ·{" "}
                  {isSelf ? `first token ${shareText(current.head.firstMass)}` : `padding ${shareText(current.head.padMass)}`}
                  {current.head.letterMass !== null && ` · on the letter ${shareText(current.head.letterMass)}`}
                </span>
              )}
            </div>
            {shares && (
              <LetterBars
                letters={letters}
                shares={shares}
                focus={focus}
                locked={locked}
                onHover={(letter) => hover(letter === null ? null : { kind: "letter", index: letter })}
                onChoose={(index) => lock({ kind: "letter", index })}
              />
            )}
            <AttentionInk
              segments={segments}
              glow={glow}
              path={path}
              arcs={arcs}
              focus={focus}
              hasArcs={isSelf}
              label={`The model's ink of “${text}”. ${summary}`}
              onHover={(index) => hover(index === null ? null : { kind: "segment", index })}
              onChoose={(index) => lock({ kind: "segment", index })}
            />
            <div class="attention-read">
              <p class="attention-summary" data-testid="summary">
                {text === "" ? "Type a word for the model to write." : summary || (status(ink) ?? "")}
              </p>
              <button type="button" disabled={!locked} onClick={() => setParams({ lock: null })}>
                Let go
              </button>
            </div>
            {current && (
              <AttentionMapView
                map={current.map}
                letters={isSelf ? undefined : letters}
                focus={focus}
                label={`Map of ${headTitle(chosen)}: ${isSelf ? "earlier movements" : "letters"} down, movements across`}
                onHover={hover}
                onChoose={lock}
              />
            )}
            <div class="attention-scrub">
              <label for="attention-scrub" class="visually-hidden">
                Movement
              </label>
              <input
                id="attention-scrub"
                type="range"
                min={0}
                max={Math.max(0, segments.length - 1)}
                step={1}
                disabled={!reading}
                value={focus?.kind === "segment" ? focus.index : 0}
                aria-valuetext={summary}
                onInput={(event) => setParams({ lock: focusId({ kind: "segment", index: Number(event.currentTarget.value) }) })}
              />
            </div>
          </section>
          <AblationPanel text={text} off={off} ink={ink} without={without} onToggle={toggle} onClear={() => setParams({ off: null })} />
        </div>
      </div>
    </div>
  );
}

function status(ink: { readonly isDone: boolean } | undefined): string | undefined {
  if (!ink) return "waiting for the engine …";
  return ink.isDone ? "reading where the heads look …" : "writing …";
}

/** The bars over the letters: of the movement that is pointed at, or the mean of all. */
function sharesShown({ focus, map }: { readonly focus: Focus; readonly map: MappedHead["map"] }): ArrayLike<number> {
  return focus?.kind === "segment" && focus.index < map.segments ? rowOf(map, focus.index) : meanRow(map);
}

/** What is seen, in a sentence. */
function describe(about: {
  readonly head: AttentionHead;
  readonly focus: Focus;
  readonly letters: readonly string[];
  readonly shares: ArrayLike<number> | undefined;
  readonly count: number;
}): string {
  const { head, focus, letters, shares, count } = about;
  if (!shares) return "";
  const isSelf = head.attention === "attn";
  const named = Array.from(shares, (share, i) => ({ share, name: i < letters.length ? `“${letters[i]}”` : "padding" }));
  const top = named.toSorted((a, b) => b.share - a.share).filter(({ share }) => share >= 0.05);
  const list = top
    .slice(0, 3)
    .map(({ share, name }) => `${shareText(share)} ${isSelf ? `in the ink of ${name}` : `on ${name}`}`)
    .join(", ");
  if (focus?.kind === "segment") return `Movement ${focus.index + 1} of ${count} looks: ${list || "everywhere a little"}.`;
  if (focus?.kind === "letter")
    return `Ink that looks at ${isSelf ? "the ink of " : ""}“${letters[focus.index]}”, letter ${focus.index + 1}, glows.`;
  return `On the mean of all movements: ${list || "everywhere a little"}.`;
}
