import { makeWords, StrokeTokenizer, Transformer, tokenFilter, WordDataset } from "@cursive/cursive-model";
import { openDevice, type Tensor } from "@cursive/tensor";
import { expect, it } from "vitest";
import { LiveRows } from "./live_rows.ts";
import { LiveSites } from "./live_sites.ts";
import { NoRowsError } from "./no_rows_error.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const words = makeWords({ count: 40, characters: "abc", letters: [1, 2] });
const dataset = new WordDataset(words, { tokenizer, numWords: 1, maxLength: 24, contextLength: 3 });

it("gives the rows that are kept, goes on from a state with those that would have come, and says where there are none", async () => {
  using device = await openDevice();
  expect(device.name).not.toBe("");
  const model = new Transformer(
    {
      ...{ nLayer: 1, nHead: 1, nEmbd: 8, blockSize: 24, contextBlockSize: 3 },
      ...{ vocabSize: tokenizer.vocabSize, contextVocabSize: tokenizer.contextVocabSize },
    },
    { seed: 1 },
  );
  const of = (keep: Uint8Array): LiveRows =>
    new LiveRows(model, { dataset, site: "blocks.0.hook_mlp_out", split: "train", keep, chunk: 20 });
  const next = async (rows: LiveRows): Promise<number[]> => Array.from(await ((await rows.next()).value.rows as Tensor).data());
  const straight = of(tokenFilter(tokenizer));
  const first = [await next(straight), await next(straight)];
  expect(first[0]!.length % 8).toBe(0);
  const state = straight.state();
  const wanted = [await next(straight), await next(straight)];
  const resumed = of(tokenFilter(tokenizer));
  resumed.restore(state);
  expect([await next(resumed), await next(resumed)]).toEqual(wanted);
  const both = new LiveSites(model, {
    ...{ dataset, sites: ["blocks.0.hook_mlp_out", "blocks.0.mlp.hook_post"] },
    ...{ split: "train", keep: tokenFilter(tokenizer), chunk: 20 },
  });
  const { rows } = (await both.next()).value as { rows: Record<string, Tensor> };
  expect(Array.from(await rows["blocks.0.hook_mlp_out"]!.data())).toEqual(first[0]);
  expect(rows["blocks.0.mlp.hook_post"]!.shape).toEqual([first[0]!.length / 8, 32]);
  await expect(of(new Uint8Array(tokenizer.vocabSize)).next()).rejects.toThrow(NoRowsError);
});
