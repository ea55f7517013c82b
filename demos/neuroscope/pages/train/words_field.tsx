import type { Word } from "@cursive/cursive-model";
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { count } from "../../app/format.ts";
import { linkTo } from "../../app/route.ts";
import { bankOf } from "../collect/collection.ts";
import { WordStore } from "../collect/store.ts";

/** Words of somebody's own, as the bytes of a bank. */
export interface ChosenBank {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

interface Props {
  /** Undefined for the built-in hand. */
  readonly onBank: (bank: ChosenBank | undefined) => void;
}

/** Whose words a model learns from: the built-in hand's, those written on the Collect page, or a file's. */
export function WordsField({ onBank }: Props): VNode {
  const source = useSignal<"cursive" | "collected" | "file">("cursive");
  const collected = useSignal<readonly Word[]>([]);
  useEffect(() => {
    const read = async (): Promise<void> => {
      collected.value = await (await WordStore.open()).words();
    };
    read().catch(() => {}); // a browser that keeps nothing has none
  }, [collected]);
  const choose = (next: typeof source.value): void => {
    source.value = next;
    onBank(next === "collected" ? { name: "your own words", bytes: new Uint8Array(bankOf(collected.value, "json")) } : undefined);
  };
  return (
    <>
      <div class="field">
        <label for="words-source">Words</label>
        <select id="words-source" value={source.value} onChange={({ currentTarget: { value } }) => choose(value as typeof source.value)}>
          <option value="cursive">built-in hand</option>
          <option value="collected" disabled={collected.value.length === 0}>
            {collected.value.length === 0 ? "your own: none collected yet" : `your own: ${count(collected.value.length)} words`}
          </option>
          <option value="file">a word bank's file</option>
        </select>
      </div>
      {source.value === "file" && (
        <input
          type="file"
          required // without one the form is not sent
          accept=".json,.zip"
          aria-label="A word bank's file"
          onChange={async ({ currentTarget }) => {
            const [file] = currentTarget.files ?? [];
            onBank(file && { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
          }}
        />
      )}
      {source.value !== "cursive" && (
        <p class="muted small">
          Words stay in this tab. More are written on the <a href={linkTo("collect")}>Collect page</a>; a model wants some hundreds.
        </p>
      )}
    </>
  );
}
