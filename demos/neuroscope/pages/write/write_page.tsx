import { StrokeTokenizer } from "@cursive/cursive-model";
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { announce, showToast } from "../../app/announce.ts";
import { useBench } from "../../app/bench_context.ts";
import { useShortcuts } from "../../app/keys.ts";
import { LoadingStages } from "../../app/loading_stages.tsx";
import { currentLink, type ParamValue, route, setParams, useParams } from "../../app/route.ts";
import { firstSettings } from "../../engine/opening.ts";
import { fittingScale, layOut, paperHeight, placeInk } from "../../ink/layout.ts";
import { movementSeconds, penMovements } from "../../ink/polyline.ts";
import { useWidth } from "../../ink/use_width.ts";
import { ExportMenu } from "./export_menu.tsx";
import { loadOpening } from "./load_opening.ts";
import { NextPanel } from "./next_panel.tsx";
import { Paper } from "./paper.tsx";
import { Pen } from "./pen.ts";
import { placeOf, wordStarts } from "./places.ts";
import { SettingsCard } from "./settings_card.tsx";
import { TextBox } from "./text_box.tsx";
import { planText } from "./text_plan.ts";
import { Transport } from "./transport.tsx";
import { sessionOf } from "./write_session.ts";
import { againText, settingsOf } from "./write_settings.ts";
import { WriteStatus } from "./write_status.tsx";

/** Pixels a canvas height where a text is short: letters are then as large as is good to look at. */
const LARGEST_SCALE = 460;

/** Parameters that words are written from: with others of these, a place of the pen means nothing. */
const WRITING: ReadonlySet<string> = new Set(["text", "seed", "temperature", "topK", "off", "again"]);

/** Text becomes ink, a pen movement after another. */
export function WritePage(): VNode {
  const bench = useBench();
  const session = useMemo(() => sessionOf(bench), [bench]);
  const pen = useMemo(() => new Pen(), []);
  // Scrubbing moves the place of the pen in the link, and is to move nothing else.
  const params = useParams({ without: ["at", "ends"] });
  const settings = useMemo(() => settingsOf(params), [params]);
  const draft = useSignal(settings.text);
  const model = bench.model.value;
  const isReady = bench.status.value.kind === "ready";
  const words = session.words.value;
  const futures = session.futures.value;
  const isWriting = session.isWriting.value;
  const isRecorded = session.isRecorded.value;
  const paper = useRef<HTMLDivElement>(null);
  const width = Math.max(200, useWidth(paper));

  // What is drawn.
  const tokenizer = useMemo(() => model && new StrokeTokenizer(model.tokenizer), [model]);
  const slant = settings.slant / 100;
  // Laid out anew when words are done: only then is it known how wide they are.
  const texts = words.map(({ text, isJoined, isDone, key }) => `${isJoined}${text}${isDone ? key : ""}`).join(" ");
  const scale = useMemo(
    () => fittingScale(words, { width, height: width < 500 ? 300 : 360, most: Math.min(LARGEST_SCALE, width * 0.9), slant }),
    [texts, width, slant],
  );
  const layout = useMemo(() => layOut(words, { width: width / scale, slant }), [words, width, scale, slant]);
  const ink = useMemo(() => layout.words.flatMap(({ segments }) => segments), [layout]);
  const movements = useMemo(() => penMovements(ink, { smooth: settings.smooth }), [ink, settings.smooth]);
  const hairs = useMemo(() => {
    const place = futures && layout.words[futures.word];
    return place
      ? futures.inks.map((each) => penMovements(placeInk(each, { origin: place.origin, slant }), { smooth: settings.smooth }))
      : [];
  }, [futures, layout, slant, settings.smooth]);
  const seconds = useMemo(() => movements.map(movementSeconds), [movements]);
  pen.give(seconds, { speed: settings.speed, isOpen: isWriting && !isRecorded });
  const starts = wordStarts(words);

  // What is asked for.
  const playFrom = (movement: number): void => {
    pen.moveTo(movement);
    pen.play({ withoutMotion: matchMedia("(prefers-reduced-motion: reduce)").matches });
  };
  const planned = useMemo(() => model && planText(settings.text, model), [settings.text, model]);
  const shownPlan = useMemo(() => model && planText(draft.value, model), [draft.value, model]);
  const again = againText(settings.again);
  const wish = JSON.stringify([planned?.words, settings.seed, settings.temperature, settings.topK, settings.withoutText, again, model?.id]);
  /** How often the same was asked for again: after a stop, or a failure. */
  const attempts = useSignal(0);
  const tell = (error: unknown): void => {
    if (bench.status.peek().kind === "ready") showToast(`Writing failed. ${(error as Error).message}`);
  };
  useEffect(() => {
    draft.value = settings.text;
  }, [settings.text]);
  useEffect(() => {
    if (settings.text === firstSettings.text) void loadOpening(session).then((isShown) => isShown && playFrom(0));
  }, [session]);
  useEffect(() => {
    if (!isReady || !planned) return;
    const onChange = (firstChanged: number): void => {
      const list = session.words.peek();
      if (firstChanged < list.length) playFrom(wordStarts(list)[firstChanged]!);
      else if (pen.position.peek() === 0) playFrom(0); // back from another page
    };
    session.write(planned.words, settings, onChange).then((isWritten) => {
      const list = session.words.peek();
      if (isWritten && list.length > 0) announce(`Written: ${list.map(({ text }) => text).join(" ")}`);
    }, tell);
  }, [isReady, wish, attempts.value]);
  // Where the pen stood is in the link too; it is put there once the words are written.
  const linked = useRef(linkedPlace());
  const isComplete = words.length > 0 && !isRecorded && !isWriting && words.every(({ isDone }) => isDone);
  useEffect(() => {
    const { at, hasEnds } = linked.current;
    if (!isComplete || at === null) return;
    linked.current = { at: null, hasEnds: false };
    pen.pause();
    pen.moveTo(Number(at) || 0);
    const { word, movement } = placeOf(words, pen.position.peek());
    if (hasEnds) session.lookAhead({ word, from: movement }, settings).catch(tell);
  }, [isComplete]);
  useEffect(() => () => pen.pause(), [pen]);

  const change = (changes: Record<string, ParamValue>, options?: { replace: boolean }): void =>
    setParams({ ...(Object.keys(changes).some((name) => WRITING.has(name)) && { at: undefined, ends: undefined }), ...changes }, options);
  const write = (): void => {
    if (draft.value !== settings.text) change({ text: draft.value, again: undefined }, { replace: false });
    else {
      change({ at: undefined, ends: undefined });
      if (isComplete || isWriting) playFrom(0);
      else attempts.value++;
    }
  };
  const rewrite = (word: number): void => {
    const next = new Map(settings.again);
    next.set(word, (next.get(word) ?? 0) + 1);
    change({ again: againText(next) });
  };
  const stop = (): void => {
    if (session.isWriting.peek()) announce("Stopped");
    session.stop();
  };
  const dice = (): void => change({ seed: Math.floor(Math.random() * 100_000), again: undefined });
  const scrub = (movement: number): void => {
    pen.pause();
    session.clearFutures();
    pen.moveTo(movement);
    change({ at: pen.position.peek(), ends: undefined });
  };
  const lookAhead = (): void => {
    pen.pause();
    const total = starts.at(-1)!;
    const at = Math.floor(pen.position.peek());
    // At the end of all there is nothing to be continued: then it is the last word from its start.
    const place = at >= total ? { word: words.length - 1, movement: 0 } : placeOf(words, at);
    pen.moveTo(starts[place.word]! + place.movement);
    change({ at: pen.position.peek(), ends: true });
    session.lookAhead({ word: place.word, from: place.movement }, settings).catch(tell);
  };
  const clearEnds = (): void => {
    session.clearFutures();
    change({ ends: undefined });
  };
  const toggle = (): void => {
    clearEnds();
    if (pen.isPlaying.peek()) pen.pause();
    else pen.play({ withoutMotion: matchMedia("(prefers-reduced-motion: reduce)").matches });
  };
  const step = (by: number): void => scrub(Math.floor(pen.position.peek()) + by);
  const stepWord = (by: 1 | -1): void => {
    const at = Math.floor(pen.position.peek());
    scrub(by > 0 ? (starts.find((start) => start > at) ?? at) : (starts.findLast((start) => start < at) ?? 0));
  };
  const copyLink = (): void => {
    navigator.clipboard.writeText(currentLink()).then(
      () => showToast("The link is copied. It holds the text and every setting."),
      () => showToast(`The browser does not let pages copy. The address line has the link.`),
    );
  };
  const canExport = isComplete && model !== undefined;
  useShortcuts("Write", [
    { key: " ", does: "Play or pause the pen", run: toggle },
    { key: "arrowleft", does: "Back by a movement", run: () => step(-1) },
    { key: "arrowright", does: "On by a movement", run: () => step(1) },
    { key: "shift+arrowleft", does: "Back to a word's start", run: () => stepWord(-1) },
    { key: "shift+arrowright", does: "On to the next word", run: () => stepWord(1) },
    {
      key: "r",
      does: "Write the word at the pen again",
      run: () => canExport && rewrite(placeOf(words, Math.floor(pen.position.peek())).word),
    },
    { key: "d", does: "Another seed", run: dice },
    { key: "h", does: "What else it could have written", run: () => canExport && lookAhead() },
    { key: "/", does: "To the text", run: () => document.getElementById("write-text")?.focus() },
    {
      key: "escape",
      does: "Stop, and take other ends away",
      run: () => {
        stop();
        clearEnds();
      },
    },
  ]);

  const height = paperHeight(layout.lines) * scale;
  const status = bench.status.value;
  return (
    <div class="write">
      <h1 class="visually-hidden">Write</h1>
      <form
        class="write-form"
        onSubmit={(event) => {
          event.preventDefault();
          write();
        }}
      >
        <TextBox text={draft.value} plan={shownPlan} onInput={(text) => (draft.value = text)} onWrite={write} />
        {isWriting && !isRecorded ? (
          <button type="button" class="primary" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="submit" class="primary" disabled={!isReady}>
            Write
          </button>
        )}
      </form>
      <div class="write-desk">
        <section class="sheet" ref={paper} aria-label="The writing">
          <Paper
            {...{ words, layout, movements, hairs, width, height, scale }}
            position={pen.position}
            penWidth={settings.width / 1000}
            canRewrite={canExport}
            onRewrite={rewrite}
          />
          <Transport pen={pen} words={words} total={starts.at(-1)!} onToggle={toggle} onScrub={scrub} />
          <div class="sheet-foot">
            {status.kind === "loading" ? <LoadingStages stages={status.stages} /> : <WriteStatus session={session} />}
            {canExport && !futures && <p class="small muted">Click a word to have it written anew.</p>}
            {isRecorded && (
              <p class="small muted">A recording of this model{status.kind === "failed" ? "." : ", until your GPU is ready."}</p>
            )}
          </div>
        </section>
        <div class="actions">
          <button
            type="button"
            disabled={!canExport}
            aria-pressed={futures !== undefined}
            onClick={() => (futures ? clearEnds() : lookAhead())}
          >
            What else it could have written
          </button>
          <span class="actions-end">
            <ExportMenu isEnabled={canExport} source={() => ({ words, ink, settings, model: model! })} />
            <button type="button" onClick={copyLink}>
              Copy link
            </button>
          </span>
        </div>
        {tokenizer && (
          <NextPanel words={words} position={pen.position} tokenizer={tokenizer} temperature={settings.temperature} topK={settings.topK} />
        )}
        {!tokenizer && (
          <section class="next-panel card" aria-labelledby="next-title">
            <h2 id="next-title">What comes next</h2>
            <p class="muted small">What the model expects of each movement stands here once it is loaded.</p>
          </section>
        )}
        <SettingsCard settings={settings} onChange={change} onSwitch={(name, value) => change({ [name]: value })} onDice={dice} />
      </div>
    </div>
  );
}

/** Where the link says that the pen stood. */
function linkedPlace(): { at: string | null; hasEnds: boolean } {
  const { params } = route.peek();
  return { at: params.get("at"), hasEnds: params.get("ends") === "1" };
}
