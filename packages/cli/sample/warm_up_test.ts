import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { augment, coarseAugmentation, joinWords, makeWords, StrokeTokenizer, writeWordBank } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { miniConfig, temporaryFolder } from "../testing/mini.ts";
import { makeWarmUp } from "./warm_up.ts";

const words = makeWords({ count: 40, seed: 1, characters: "aeinst", letters: [1, 3] });
const thinning = { simplify: (coarseAugmentation.simplify![0] + coarseAugmentation.simplify![1]) / 2 };

/** A word bank on disk, and what a warm-up from it is asked for. */
function bankIn(folder: string, bins: "polar-151" | "polar-220-word"): Omit<Parameters<typeof makeWarmUp>[0], "words"> & { bank: string } {
  const bank = join(folder, "bank.json");
  writeFileSync(bank, writeWordBank(words));
  return { bank, tokenizer: new StrokeTokenizer({ bins }), config: miniConfig(), seed: 1 };
}

describe("makeWarmUp()", () => {
  it("is how a training example of its words and one more begins", async () => {
    using folder = temporaryFolder();
    for (const bins of ["polar-151", "polar-220-word"] as const) {
      const request = bankIn(folder.path, bins);
      const [first, second, third] = [words[0]!, words.find((w) => w.text !== words[0]!.text)!, words[9]!];
      const warmUp = await makeWarmUp({ ...request, words: [first.text, second.text] });
      expect(warmUp.text).toBe(`${first.text} ${second.text}`);
      const all = [first, second, third];
      const example =
        request.tokenizer.wordToken === null
          ? request.tokenizer.encodeStrokes(augment(joinWords(all).points, thinning))
          : request.tokenizer.encodeWords(all.map((word) => augment(word.points, thinning)));
      // A bank rounds coordinates, which may move a token by a bin.
      const beginning = example.subarray(0, warmUp.tokens.length);
      const same = beginning.filter((token, i) => token === warmUp.tokens[i]).length;
      expect(same / beginning.length).toBeGreaterThan(0.95);
      expect(example.length).toBeGreaterThan(warmUp.tokens.length + 4);
      if (request.tokenizer.wordToken !== null) expect([...warmUp.tokens.slice(-2)]).toEqual([524, 524]);
      const next = request.tokenizer.segments(example)[request.tokenizer.segments(warmUp.tokens).length]!;
      expect(next.drawn).toBe(false); // the pen goes through the air to the next word
    }
  });

  it("takes the first word of a bank if none is named, and any word of the built-in hand", async () => {
    using folder = temporaryFolder();
    const request = bankIn(folder.path, "polar-151");
    expect((await makeWarmUp(request)).text).toBe(words[0]!.text);
    const own = { tokenizer: request.tokenizer, config: miniConfig(), seed: 3, words: ["hello"] };
    expect(await makeWarmUp(own)).toEqual(await makeWarmUp(own));
    expect((await makeWarmUp(own)).tokens.length).toBeGreaterThan(40);
    expect((await makeWarmUp({ ...own, config: undefined, bank: "cursive" })).text).toBe("hello");
  });

  it("refuses words that are not there, cannot be written, or that the model cannot read", async () => {
    using folder = temporaryFolder();
    const request = bankIn(folder.path, "polar-151");
    await expect(makeWarmUp({ ...request, words: ["zz"] })).rejects.toThrow(
      /Expected a word of \S+bank.json but found "zz": the nearest are /,
    );
    const own = { tokenizer: request.tokenizer, config: miniConfig(), seed: 3 };
    await expect(makeWarmUp({ ...own, words: ["é"] })).rejects.toThrow("Expected a warm-up that the built-in hand can write but found");
    await expect(makeWarmUp({ ...own, tokenizer: new StrokeTokenizer({ alphabet: "abc" }), words: ["bad"] })).rejects.toThrow(
      'Expected a warm-up in the model\'s characters but found d in "bad"',
    );
    await expect(makeWarmUp({ ...own, config: undefined, words: ["a"] })).rejects.toThrow("Expected --style with a word bank");
    await expect(makeWarmUp({ ...own, bank: "none.json" })).rejects.toThrow("Expected a word bank (zip or JSON) at none.json but found");
  });
});
