import { StrokeTokenizer } from "@cursive/cursive-model";
import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import type { BenchClient } from "../../engine/client.ts";
import type { ModelFacts } from "../../engine/model_file.ts";
import type { WriteAnswer, WriteRequest } from "../../engine/write.ts";
import { planText } from "./text_plan.ts";
import { WriteSession } from "./write_session.ts";
import { settingsOf } from "./write_settings.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const alphabet = { characters: "abcdefghijklmnopqrstuvwxyz", longestWord: 8 };
const facts = { ...alphabet, id: "one", name: "best", step: 100, tokenizer: tokenizer.toJSON() } as ModelFacts;
const settings = settingsOf(new URLSearchParams());
const plan = (text: string) => planText(text, alphabet).words;

/** An engine that holds every question until it is told to answer it, or to give up. */
function heldEngine() {
  const model = signal(facts);
  const asked: { readonly request: WriteRequest; readonly answer: () => void; readonly fail: (error: Error) => void }[] = [];
  const ask = (
    _: string,
    request: WriteRequest,
    { signal: stop, onProgress }: { signal: AbortSignal; onProgress: (step: unknown) => void },
  ) =>
    new Promise<WriteAnswer>((resolve, reject) => {
      stop.addEventListener("abort", () => reject(stop.reason));
      const answer = (): void => {
        onProgress(request.words.flatMap((_word, word) => [0, 1].map((token) => ({ word, token }))));
        const words = request.words.map(() => ({ tokens: new Int32Array(2), ended: true }));
        resolve({ words, secondsToFirst: 1, seconds: 2, tokensPerSecond: 3 });
      };
      asked.push({ request, answer, fail: reject });
    });
  return { model, asked, session: new WriteSession({ model, ask } as unknown as BenchClient) };
}

describe("WriteSession", () => {
  it("writes anew what was stopped, and says that it did not come to its end", async () => {
    const { asked, session } = heldEngine();
    const changed: number[] = [];
    const first = session.write(plan("pen ink"), settings, (from) => changed.push(from));
    session.stop();
    expect(await first).toBe(false);
    expect([session.isWriting.value, session.words.value.map(({ isDone }) => isDone)]).toEqual([false, [false, false]]);
    const second = session.write(plan("pen ink"), settings, (from) => changed.push(from));
    expect(asked.map(({ request }) => request.words.map(({ text }) => text))).toEqual([["pen", "ink"], ["pen", "ink"]]); // biome-ignore format: pairs
    asked[1]!.answer();
    expect(await second).toBe(true);
    expect(session.words.value.every(({ isDone }) => isDone)).toBe(true);
    expect(changed).toEqual([0, 0]);
  });

  it("writes anew what failed, and throws why", async () => {
    const { asked, session } = heldEngine();
    const first = session.write(plan("pen"), settings, () => {});
    asked[0]!.fail(new Error("out of memory"));
    await expect(first).rejects.toThrow("out of memory");
    void session.write(plan("pen"), settings, () => {});
    expect(asked).toHaveLength(2);
  });

  it("says of what something else took the place of that it is not written", async () => {
    const { asked, session } = heldEngine();
    const first = session.write(plan("pen"), settings, () => {});
    const second = session.write(plan("ink"), settings, () => {});
    asked[1]!.answer();
    expect([await first, await second]).toEqual([false, true]);
  });

  it("keeps words of one model, and takes none of them for another's of the same name and step", async () => {
    const { model, asked, session } = heldEngine();
    const writing = session.write(plan("pen"), settings, () => {});
    asked[0]!.answer();
    await writing;
    await session.write(plan("pen"), settings, () => {});
    expect(asked).toHaveLength(1);
    model.value = { ...facts, id: "other" };
    void session.write(plan("pen"), settings, () => {});
    expect(asked).toHaveLength(2);
    expect(session.words.value[0]!.segments).toEqual([]);
  });
});
