import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { readSae, writeSae } from "@cursive/sae";
import { type CorpusSequence, featureFiles, formatFeatureFile, sequencesPerFile } from "@cursive/sae/dashboard";
import { Bench, type NamedBytes } from "./engine/bench.ts";
import { buildLiveFeatures, type LiveFeaturesProgress, pagesOf } from "./engine/live_features.ts";

/** Examples of each feature: few, as they come with the page. */
const EXAMPLES = { top: 8, bands: 3, perBand: 3, drawn: 3 };
/** Words that features are looked at on. */
const SEQUENCES = 384;

/**
 * Writes the app's autoencoder and its feature pages, made by the code that makes them in the tab. Pages are the files that `pnpm cli sae
 * features` writes, compressed, as not every static server does that on the way.
 *
 * @returns The bytes of all files.
 * @throws ForeignFileError for an autoencoder of another model.
 */
export async function writeFeatureAssets(
  assets: string,
  options: { readonly model: NamedBytes; readonly sae: NamedBytes; readonly onProgress: (progress: LiveFeaturesProgress) => void },
): Promise<number> {
  const { model, onProgress } = options;
  const bench = await Bench.open({ model });
  const { sae, about } = readSae(options.sae.bytes);
  const { hookSite, tokensTrained } = about;
  // What else a file of a run says is about the machine that it was trained on.
  const own = { name: options.sae.name, modelName: model.name, ...(hookSite && { hookSite }), ...(tokensTrained && { tokensTrained }) };
  const bytesOfSae = await writeSae(sae, own);
  await bench.loadSae({ name: own.name, bytes: bytesOfSae });
  const overview = await buildLiveFeatures(
    bench,
    { sequences: SEQUENCES, ablations: 6, examples: EXAMPLES },
    { report: onProgress, signal: new AbortController().signal },
  );
  const folder = join(assets, "features", "data");
  rmSync(join(assets, "features"), { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  let bytes = 0;
  const write = (file: string, content: string | Uint8Array): void => {
    writeFileSync(file, content);
    bytes += Buffer.byteLength(content);
  };
  const data = (file: string, value: unknown): void =>
    write(join(folder, `${file}.gz`), gzipSync(formatFeatureFile(file, value), { level: 9 }));
  const pages = pagesOf(bench);
  data(featureFiles.overview, overview);
  for await (const page of pages.all()) data(featureFiles.page(page.index), page);
  for (let start = 0; start < pages.sequences; start += sequencesPerFile) {
    const count = Math.min(sequencesPerFile, pages.sequences - start);
    const sequences: CorpusSequence[] = [];
    for (let i = 0; i < count; i++) sequences.push(await pages.sequence(start + i));
    data(featureFiles.sequences(start), sequences);
  }
  write(join(assets, "sae.safetensors"), bytesOfSae);
  bench.device.destroy();
  return bytes;
}
