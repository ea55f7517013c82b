/**
 * Makes the app's model out of a run of `pnpm cli train`:
 *
 *     node scripts/with_gpu.mjs node --import tsx demos/neuroscope/make_assets.ts runs/tiny-001 --sae runs/saes/default-001/sae.safetensors
 *
 * `assets/model.safetensors` holds the parameters of the run's best checkpoint, its configuration and its tokenizer, and which characters and
 * how long words it was trained on. `assets/opening.json` is a text that this model wrote here: what the page shows until the reader's own GPU is
 * ready, and says so. With `--sae`, `assets/sae.safetensors` is the autoencoder, and `assets/features/` its feature pages.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeSafetensors } from "@cursive/tensor";
import { Bench } from "./engine/bench.ts";
import type { LiveFeaturesProgress } from "./engine/live_features.ts";
import { readModelFile } from "./engine/model_file.ts";
import { type Opening, openingRequest } from "./engine/opening.ts";
import { writeWords } from "./engine/write.ts";
import { writeFeatureAssets } from "./feature_assets.ts";

/** What a run's `config.json` says of its texts. */
interface RunData {
  readonly data: { readonly source: string; readonly characters?: string; readonly letters?: readonly [number, number] };
}

/** Most bytes that a model may have: it comes with the page. */
const MODEL_BUDGET = 2_000_000;

/** The model's file for the app. @throws ForeignFileError if the checkpoint is none. */
export async function slimModel(
  checkpoint: Uint8Array,
  about: { readonly name: string; readonly run: RunData },
): Promise<Uint8Array<ArrayBuffer>> {
  const { state, config, tokenizer, step } = await readModelFile(checkpoint, about.name);
  const { characters, letters } = about.run.data;
  const metadata = {
    format: "cursive-model",
    name: about.name,
    config: JSON.stringify(config),
    tokenizer: JSON.stringify(tokenizer),
    step: String(step),
    ...(characters !== undefined && { characters }),
    ...(letters !== undefined && { longestWord: String(letters[1]) }),
  };
  const sha256 = createHash("sha256").update(writeSafetensors(state, { metadata })).digest("hex");
  return writeSafetensors(state, { metadata: { ...metadata, sha256 } });
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { name: { type: "string" }, out: { type: "string" }, sae: { type: "string" } },
    allowPositionals: true,
  });
  const [folder] = positionals;
  if (folder === undefined) throw new Error("Expected the folder of a run, such as runs/tiny-001, but found none");
  const assets = resolve(values.out ?? join(fileURLToPath(new URL(".", import.meta.url)), "assets"));
  const name = values.name ?? basename(resolve(folder));
  const run = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as RunData;
  const bytes = await slimModel(readFileSync(join(folder, "checkpoints", "best.safetensors")), { name, run });
  if (bytes.length > MODEL_BUDGET) throw new Error(`Expected a model of at most ${MODEL_BUDGET} bytes but found ${bytes.length}`);

  const bench = await Bench.open({ model: { name, bytes } });
  const { words } = await writeWords(bench, openingRequest, { report: () => {}, signal: new AbortController().signal });
  const opening: Opening = {
    tokenizer: bench.modelFacts.tokenizer,
    words: words.map(({ tokens }, i) => ({ text: openingRequest.words[i]!.text, tokens: [...tokens] })),
  };
  mkdirSync(assets, { recursive: true });
  writeFileSync(join(assets, "model.safetensors"), bytes);
  writeFileSync(join(assets, "opening.json"), `${JSON.stringify(opening)}\n`);
  console.log(`${name}: ${bytes.length} bytes, in ${assets}`);
  bench.device.destroy();
  if (values.sae === undefined) return;
  const sae = { name, bytes: readFileSync(values.sae) };
  const onProgress = ({ phase, done, total }: LiveFeaturesProgress): void =>
    console.log(`${phase} ${done}${total === null ? "" : `/${total}`}`);
  const written = await writeFeatureAssets(assets, { model: { name, bytes }, sae, onProgress });
  console.log(`${values.sae}: ${written} bytes with its feature pages`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
