import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { writeNeuronpedia, writeNeuronpediaBatch, writeSaeDashboard } from "@cursive/sae";
import { type FeatureCollectionOptions, type FeatureSource, featureCollection } from "@cursive/sae/dashboard";
import type { FolderKind } from "./feature_folder.ts";

/** What `sae features` writes: our pages, or files of another program. */
export const featureFormats = ["pages", "neuronpedia", "neuronpedia-batches", "saedashboard"] as const;

/** The name of one. */
export type FeatureFormat = (typeof featureFormats)[number];

/** One of those that other programs read. */
export type ExportFormat = Exclude<FeatureFormat, "pages">;

/** Features of a file, as in SAEDashboard's runs: so much of what is written is in main memory. */
const PER_BATCH = 128;

/** Names of a format's files, below the folder that is written. */
const fileNames: Readonly<Record<ExportFormat, RegExp>> = {
  neuronpedia: /^[\w.-]+\/[\w-]+\/((release|model|sourceset|source)\.jsonl|(features|activations)\/batch-\d+\.jsonl\.gz)$/,
  "neuronpedia-batches": /^(batch-\d+|skipped_indexes)\.json$/,
  saedashboard: /^sae_vis_data-\d+\.json$/,
};

/** A folder that holds files of a format and nothing else. */
export function exportedFolder(format: ExportFormat): FolderKind {
  return {
    name: `a former export for ${format}`,
    holds: async (path) => {
      const entries = await readdir(path, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => !entry.isDirectory());
      const names = files.map(({ parentPath, name }) => relative(path, join(parentPath, name)).replaceAll(sep, "/"));
      return names.length > 0 && names.every((name) => fileNames[format].test(name));
    },
  };
}

/** Options of {@link exportFeatures}. */
export interface ExportOptions extends Omit<FeatureCollectionOptions, "features"> {
  readonly format: ExportFormat;
  readonly signal?: AbortSignal;
  readonly onFeatures?: (done: number, total: number) => void;
}

/**
 * Features as files of another program, one after another, with their names: a batch of features at a time, dead ones left out, whose numbers
 * stand in `skipped_indexes.json` where the format has it.
 *
 * @throws SaeFormatError for names that the format does not take. @throws The reason of `signal`, if it asks to stop.
 */
export async function* exportFeatures(
  source: FeatureSource,
  options: ExportOptions,
): AsyncGenerator<readonly [name: string, content: string | Uint8Array]> {
  const { format, signal, onFeatures, ...about } = options;
  const { features } = await source.overview();
  const alive = features.filter(({ state }) => state !== "dead").map(({ index }) => index);
  const batches = Math.max(1, Math.ceil(alive.length / PER_BATCH));
  for (let batch = 0; batch < batches; batch++) {
    signal?.throwIfAborted();
    const chosen = alive.slice(batch * PER_BATCH, (batch + 1) * PER_BATCH);
    const collection = await featureCollection(source, { ...about, features: chosen });
    if (format === "saedashboard") yield [`sae_vis_data-${batch}.json`, writeSaeDashboard(collection)];
    else if (format === "neuronpedia-batches") yield [`batch-${batch}.json`, writeNeuronpediaBatch(collection)];
    else for (const [path, text] of writeNeuronpedia(collection, { batch })) yield await compressed(path, text);
    if (format === "neuronpedia-batches" && batch === 0) {
      const { model: model_id, layer, set: sae_set } = collection;
      const skipped_indexes = features.filter(({ state }) => state === "dead").map(({ index }) => index);
      yield ["skipped_indexes.json", JSON.stringify({ model_id, layer: String(layer), sae_set, log_sparsity: null, skipped_indexes })];
    }
    onFeatures?.(Math.min(alive.length, (batch + 1) * PER_BATCH), alive.length);
  }
}

const compress = promisify(gzip);

/** Files of features and activations gzipped, as an instance wants them. */
async function compressed(path: string, text: string): Promise<readonly [string, string | Uint8Array]> {
  return /batch-\d+\.jsonl$/.test(path) ? [`${path}.gz`, await compress(text, { level: 5 })] : [path, text];
}
