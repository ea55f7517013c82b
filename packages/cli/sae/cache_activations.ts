import { access } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type ActivationChunk, activations, datasetBatches, tokenFilter } from "@cursive/cursive-model";
import { ActivationShardWriter, type Json, type RowStorage, SHARD_INDEX } from "@cursive/sae";
import type { CompileProgress } from "@cursive/tensor";
import { UsageError } from "../errors.ts";
import type { ModelWithData } from "../run/model_data.ts";
import { activationOrigin } from "./activation_origin.ts";
import type { TokenKind } from "./sae_config.ts";
import { chosen, rowSite } from "./sae_source.ts";
import { type CacheAbout, folderFiles } from "./shard_files.ts";

/** What is cached, and where. */
export interface CacheOptions {
  readonly hooks: readonly string[];
  /** The folder; with several hooks each has a folder of its own in it. */
  readonly out: string;
  readonly sequences: number;
  readonly split: "train" | "test";
  readonly tokens: readonly TokenKind[];
  readonly rowsPerShard: number;
  readonly storage: RowStorage;
  /** Sequences that go through the model at once. */
  readonly chunk: number;
  readonly signal: AbortSignal;
  readonly onCompile?: CompileProgress;
  readonly onSequence: (done: number, total: number) => void;
}

/** A cache that was written. */
export interface WrittenCache {
  readonly hook: string;
  readonly path: string;
  readonly rows: number;
  readonly dIn: number;
  readonly bytes: number;
}

/** What each row carries: its token's id, its place in the sequence, and the sequence. */
const columns = ["token", "position", "sequence"] as const;

/**
 * Writes a model's activations at some hooks to folders of shards, one pass over the words for all of them.
 * @throws UsageError for an unknown hook or a folder that has a cache already; Interrupted with no index written, so that no cache is half a one.
 */
export async function cacheActivations(subject: ModelWithData, options: CacheOptions): Promise<WrittenCache[]> {
  const { hooks, out, sequences, split, tokens, rowsPerShard, storage, chunk, signal, onCompile, onSequence } = options;
  const { found, data, hash } = subject;
  const { model, tokenizer } = found;
  const sites = [...new Map(hooks.map((hook) => rowSite(subject, hook)).map((site) => [site.name, site])).values()];
  const about: Omit<CacheAbout, "hook"> = {
    ...{ ...activationOrigin(subject, split), step: found.step, split, sequences },
    ...{ length: data.dataset.maxLength, tokens, tokenizer: tokenizer.toJSON(), hash },
  };
  const caches = await Promise.all(
    sites.map(async ({ name, width }) => {
      const path = sites.length > 1 ? join(resolve(out), name) : resolve(out);
      await refuseOld(path);
      const shared = { dIn: width, rowsPerShard, columns, storage };
      const writer = new ActivationShardWriter(folderFiles(path), {
        ...shared,
        about: { ...about, hook: name } as unknown as { [key: string]: Json },
      });
      return { name, width, path, writer };
    }),
  );
  const keep = tokenFilter(tokenizer, chosen(tokens));
  const batches = datasetBatches(data.dataset, { split, batchSize: chunk });
  let [read, kept] = [0, 0];
  const names = sites.map(({ name }) => name);
  for await (const piece of activations(model, batches, { sites: names, chunk, keep, signal, onCompile })) {
    const carried = columnsOf(piece, { first: read, sequences });
    kept += carried.token.length;
    for (const { name, width, writer } of caches) {
      const rows = (await piece.rows(name).data()) as Float32Array;
      await writer.add(rows.subarray(0, carried.token.length * width), carried);
    }
    read = Math.min(sequences, read + piece.sequences);
    onSequence(read, sequences);
    if (read === sequences) break;
  }
  if (kept === 0) throw new UsageError(`Expected tokens of the kinds ${tokens.join(",")} but found none in ${sequences} sequences`);
  const written: WrittenCache[] = [];
  for (const { name: hook, width: dIn, path, writer } of caches) {
    const { rows } = await writer.finish();
    written.push({ hook, path, rows, dIn, bytes: rows * ((storage === "f16" ? 2 : 4) * dIn + 4 * columns.length) });
  }
  return written;
}

/** The columns of a chunk's rows that count, up to the last sequence that is wanted. */
function columnsOf(
  { kept, tokens, length }: ActivationChunk,
  { first, sequences }: { readonly first: number; readonly sequences: number },
): Record<(typeof columns)[number], Int32Array> {
  const wanted = kept.filter((row) => first + Math.floor(row / length) < sequences);
  return {
    token: wanted.map((row) => tokens[row]!),
    position: wanted.map((row) => row % length),
    sequence: wanted.map((row) => first + Math.floor(row / length)),
  };
}

async function refuseOld(path: string): Promise<void> {
  const isThere = await access(join(path, SHARD_INDEX)).then(
    () => true,
    () => false,
  );
  if (isThere) throw new UsageError(`Expected a folder without activations but found some at ${path}`);
}
