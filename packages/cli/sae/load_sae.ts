import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { createSae, type SaeConfig, type SparseAutoencoder } from "@cursive/sae";
import { nearest } from "@cursive/tensor";
import { oneLine, UsageError } from "../errors.ts";
import { CheckpointError, unseal } from "../run/checkpoint.ts";
import { readIfThere } from "../run/files.ts";
import { findRun, listRuns } from "../run/find_run.ts";
import type { SaeOrigin } from "./save_sae.ts";

/** An autoencoder out of a file, ready for use. */
export interface LoadedSae {
  readonly path: string;
  readonly sae: SparseAutoencoder;
  readonly config: SaeConfig;
  readonly origin: SaeOrigin;
}

/** Which autoencoder is meant. */
export interface SaeChoice {
  /** Where run folders are; those of autoencoders are in `saes` there. */
  readonly runs: string;
  /** A file, or a run that trained it: its name, its number, its folder, or `last`. Default: the last run that holds one. */
  readonly sae?: string;
  /** Which one of a run that trained several. */
  readonly name?: string;
}

/** Finds an autoencoder and makes it again. A device must be open. @throws UsageError where there is none, or it cannot be used. */
export async function findSae({ runs, sae, name }: SaeChoice): Promise<LoadedSae> {
  if (sae !== undefined && (await isFile(sae))) {
    if (name !== undefined) throw new UsageError("Expected either a file or a --name in a folder but found both");
    return loadSae(resolve(sae));
  }
  const folder = await folderOf(join(resolve(runs), "saes"), sae);
  const files = await saeFiles(folder);
  const names = files.map(nameOf);
  if (files.length === 0) throw new UsageError(`Expected a trained autoencoder in ${folder} but found none: it has not saved any yet`);
  if (name === undefined && files.length > 1)
    throw new UsageError(`Expected a --name, as there are ${files.length} autoencoders in ${folder}, but found none: ${names.join(", ")}`);
  const index = name === undefined ? 0 : names.indexOf(name);
  if (index < 0)
    throw new UsageError(
      `Expected an autoencoder in ${folder} but found no '${name}': the nearest are ${nearest(name!, names).join(", ")}`,
    );
  return loadSae(files[index]!);
}

/** Finds one autoencoder, or all of a run that trained several, where none is named. A device must be open. @throws UsageError as {@link findSae}. */
export async function findSaes({ runs, sae, name }: SaeChoice): Promise<LoadedSae[]> {
  if (name !== undefined || (sae !== undefined && (await isFile(sae)))) return [await findSae({ runs, sae, name })];
  const files = await saeFiles(await folderOf(join(resolve(runs), "saes"), sae));
  return files.length > 0 ? Promise.all(files.map(loadSae)) : [await findSae({ runs, sae })];
}

/** What to call an autoencoder among others: its run and which one of it, or its file. */
export function nameSae({ path, origin }: LoadedSae): string {
  if (!FILE.test(basename(path)) || origin.trainedBy !== basename(dirname(path))) return relative("", path);
  const name = nameOf(path);
  return name === "sae" ? origin.trainedBy : `${origin.trainedBy}:${name}`;
}

/** Makes an autoencoder again from its file. @throws UsageError where there is none, or it is damaged or of another kind. */
export async function loadSae(path: string): Promise<LoadedSae> {
  const bytes = await readIfThere(path);
  if (!bytes) throw new UsageError(`Expected an autoencoder at ${path} but found no such file`);
  try {
    const { tensors, metadata } = unseal(bytes);
    if (metadata.format !== FORMAT) throw new CheckpointError(`Expected an autoencoder but found ${metadata.format ?? "another file"}`);
    const config = JSON.parse(metadata.config ?? "") as SaeConfig;
    const sae = createSae(config);
    sae.loadStateDict(tensors);
    return { path, sae, config, origin: JSON.parse(metadata.origin ?? "") as SaeOrigin };
  } catch (error) {
    throw new UsageError(`${path}: ${oneLine(error)}`);
  }
}

/** An autoencoder in words for people: `sae-001/sae.safetensors: topk, 64 to 512, of blocks.0.hook_mlp_out`. */
export function describeSae({ path, config, origin }: LoadedSae): string {
  return `${relative("", path)}: ${config.architecture}, ${config.dIn} to ${config.dSae}, of ${origin.hook}`;
}

const FORMAT = "cursive-sae";

/** The folder of the run that is meant. */
async function folderOf(parent: string, asked: string | undefined): Promise<string> {
  if (asked !== undefined && asked !== "last") return (await findRun(parent, asked)).path;
  for (const { path } of (await listRuns(parent)).reverse()) if ((await saeFiles(path)).length > 0) return path;
  throw new UsageError(`Expected a trained autoencoder but found none in ${parent}: \`pnpm cli sae train\` makes one, or give a file`);
}

/** The autoencoders' files in a folder, as `sae train` names them, in their order. */
async function saeFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => FILE.test(name)).sort();
  return names.map((name) => join(folder, name));
}

const FILE = /^sae(-.+)?\.safetensors$/;

/** Which one of its run an autoencoder is, by its file. */
function nameOf(path: string): string {
  return basename(path, ".safetensors").replace(/^sae-/, "");
}

async function isFile(path: string): Promise<boolean> {
  return stat(resolve(path)).then(
    (found) => found.isFile(),
    () => false,
  );
}
