import { defaultAlphabet } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../../app/announce.ts";
import { useBench } from "../../app/bench_context.ts";
import { keepStorage } from "../../app/keep_storage.ts";
import { useShortcuts } from "../../app/keys.ts";
import { useMatch } from "../../app/use_match.ts";
import { bankOf, inkOf, readBank, type Stroke } from "./collection.ts";
import { LetterCounts } from "./letter_counts.tsx";
import { ModelView } from "./model_view.tsx";
import { papers } from "./paper.ts";
import { nextPrompt } from "./prompts.ts";
import type { Draft, KeptWord } from "./store.ts";
import { useCollection } from "./use_collection.ts";
import { WordList } from "./word_list.tsx";
import { WritingPad } from "./writing_pad.tsx";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** The user's own handwriting: prompted words, written with a pointer, kept in the browser, saved as a word bank to train on. */
export function CollectPage(): VNode {
  const model = useBench().model.value;
  const collection = useCollection();
  const { words, isOpen, notKept, draft } = collection;
  const [account, setAccount] = useState<string>("");
  const [thrown, setThrown] = useState<KeptWord | undefined>(undefined);
  const file = useRef<HTMLInputElement>(null);
  const characters = model?.characters ?? LETTERS;
  const paper = useMatch("(max-width: 560px)") ? papers.narrow : papers.wide;
  const longest = Math.min(model?.longestWord ?? 8, paper.letters);

  const promptFor = (number: number, written: readonly string[]): string => nextPrompt({ number, written, characters, longest });
  const texts = words.map(({ text }) => text);
  const { prompt, number, author, strokes } = draft ?? { prompt: "", number: 0, author: "me", strokes: [] };
  const change = (next: { prompt?: string; number?: number; author?: string; strokes?: readonly Stroke[] }): void =>
    collection.setDraft({ prompt, number, author, strokes, ...next });
  useEffect(() => {
    if (isOpen && prompt === "") change({ prompt: promptFor(number, texts) });
  }, [isOpen, prompt]);

  const hasInk = strokes.length > 0;
  const unknown = [...new Set(prompt)].filter((character) => !defaultAlphabet.includes(character));
  const canKeep = hasInk && prompt.trim() !== "" && unknown.length === 0;
  // What a clearing or a skipping took away; a reload forgets it, and then strokes are taken back one by one.
  const [taken, setTaken] = useState<readonly Draft[]>([]);
  const takeAway = (next: { prompt?: string; number?: number }): void => {
    if (hasInk) setTaken((before) => [...before, { prompt, number, author, strokes }]);
    change({ strokes: [], ...next });
  };
  const canUndo = hasInk || taken.length > 0;
  const undo = (): void => {
    const last = taken.at(-1);
    if (hasInk) change({ strokes: strokes.slice(0, -1) });
    else if (last) {
      setTaken(taken.slice(0, -1));
      change(last);
    }
  };
  const clear = (): void => takeAway({});
  const skip = (): void => takeAway({ number: number + 1, prompt: promptFor(number + 1, texts) });
  const next = (): void => {
    if (!canKeep) return;
    const text = prompt.trim();
    void keepStorage();
    void collection.add([{ text, author: author.trim() || "unknown", points: inkOf(strokes) }]);
    announce(`Kept ${text}, ${words.length + 1} words in all`);
    setTaken([]);
    change({ strokes: [], number: number + 1, prompt: promptFor(number + 1, [...texts, text]) });
  };
  const remove = (word: KeptWord): void => {
    collection.remove(word.id);
    setThrown(word);
    announce(`“${word.text}” was thrown away`);
  };
  const bringBack = ({ text, author: by, points }: KeptWord): void => {
    setThrown(undefined);
    void collection.add([{ text, author: by, points }]);
    announce(`“${text}” is back`);
  };
  useShortcuts("Collect", [
    { key: "enter", does: "Keep the word, and go to the next", run: next },
    { key: "u", does: "Undo a stroke, a clearing or a skipping", run: undo },
    { key: "c", does: "Clear the paper", run: () => hasInk && clear() },
    { key: "s", does: "Skip the word", run: skip },
  ]);

  const save = (format: "zip" | "json"): void => {
    const bytes = bankOf(words, format);
    download(new Blob([new Uint8Array(bytes)]), format === "zip" ? "handwriting.zip" : "handwriting.json");
  };
  const open = async (input: HTMLInputElement): Promise<void> => {
    const [chosen] = input.files ?? [];
    if (!chosen) return;
    try {
      const { words: added, account } = await readBank(new Uint8Array(await chosen.arrayBuffer()), { name: chosen.name, present: words });
      if (added.length > 0) await collection.add(added);
      const left = account.skipped.length === 0 ? "" : `, ${account.skipped.length} left out (${reasonsOf(account.skipped)})`;
      setAccount(`${chosen.name}: ${added.length} ${added.length === 1 ? "word" : "words"} added${left}.`);
    } catch (error) {
      setAccount(error instanceof Error ? error.message : String(error));
    }
    input.value = "";
  };

  return (
    <div class="collect-page">
      <h1>Collect</h1>
      <p class="muted">
        Write the words with a pen, a finger or a mouse, and train a model on your own hand. Nothing leaves this browser; what you write
        stays here until you throw it away, also while you write.
      </p>
      {notKept && (
        <div class="notice warn">
          This browser keeps nothing for this page, so save your words to a file before you leave. <span class="detail">{notKept}</span>
        </div>
      )}
      <section class="card collect-desk" aria-labelledby="collect-prompt">
        <div class="collect-line">
          <h2 id="collect-prompt">
            Write <span class="collect-word">{prompt || "…"}</span>
          </h2>
          <span class="muted small" data-testid="kept">
            {words.length} {words.length === 1 ? "word" : "words"} kept
          </span>
        </div>
        <WritingPad paper={paper} prompt={prompt} strokes={strokes} onStrokes={(all) => change({ strokes: all })} />
        <div class="collect-buttons">
          <button type="button" disabled={!canUndo} onClick={undo}>
            Undo
          </button>
          <button type="button" disabled={!hasInk} onClick={clear}>
            Clear
          </button>
          <button type="button" disabled={!isOpen} onClick={skip}>
            Skip
          </button>
          <button type="button" class="primary" disabled={!canKeep} onClick={next}>
            Next
          </button>
        </div>
        <div class="collect-below">
          {model && <ModelView paper={paper} strokes={strokes} model={model} />}
          <div class="collect-fields">
            <div class="field">
              <label for="collect-text">Or another text</label>
              <input
                id="collect-text"
                type="text"
                value={prompt}
                maxLength={30}
                autocomplete="off"
                autocapitalize="off"
                spellcheck={false}
                aria-describedby="collect-text-note"
                onChange={(event) => change({ prompt: event.currentTarget.value || promptFor(number, texts) })}
              />
              <span id="collect-text-note" class="small">
                {unknown.length > 0 ? `No model knows ${unknown.join(" ")}.` : ""}
              </span>
            </div>
            <div class="field">
              <label for="collect-author">Whose hand</label>
              <input
                id="collect-author"
                type="text"
                value={author}
                maxLength={40}
                autocomplete="nickname"
                onChange={(event) => change({ author: event.currentTarget.value })}
              />
            </div>
          </div>
        </div>
      </section>

      <div class="collect-columns">
        <section class="card" aria-labelledby="collect-words">
          <h2 id="collect-words">Your words</h2>
          {thrown && (
            <p>
              “{thrown.text}” was thrown away.{" "}
              <button type="button" onClick={() => bringBack(thrown)}>
                Bring it back
              </button>
            </p>
          )}
          {words.length === 0 ? (
            <p class="muted">None yet. A model wants some hundred words; twenty show what comes of it.</p>
          ) : (
            <>
              <LetterCounts characters={characters} texts={texts} />
              <WordList words={words} onRemove={remove} />
            </>
          )}
        </section>
        <section class="card collect-files" aria-labelledby="collect-files">
          <h2 id="collect-files">Files</h2>
          <div class="collect-buttons">
            <button type="button" disabled={words.length === 0} onClick={() => save("zip")}>
              Save as zip
            </button>
            <button type="button" disabled={words.length === 0} onClick={() => save("json")}>
              Save as JSON
            </button>
            <button type="button" disabled={!isOpen} onClick={() => file.current?.click()}>
              Add words of a file
            </button>
            <input
              ref={file}
              class="visually-hidden"
              type="file"
              accept=".zip,.json"
              aria-label="A word bank, zip or JSON"
              tabIndex={-1}
              onChange={(event) => void open(event.currentTarget)}
            />
          </div>
          {account && (
            <p role="status" data-testid="account">
              {account}
            </p>
          )}
          <p class="small muted">
            These are word banks, as the command line reads them. Look at one with <code>pnpm cli data import handwriting.zip</code>, train
            on it with <code>pnpm cli train --set data.source=handwriting.zip</code>.
          </p>
        </section>
      </div>
    </div>
  );
}

function reasonsOf(skipped: readonly { readonly reason: string }[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of skipped) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(", ");
}

function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
