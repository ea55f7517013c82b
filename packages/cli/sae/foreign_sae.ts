import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import {
  readDictionaryLearning,
  readOpenAi,
  readSaeFile,
  readSaeLens,
  readSparsify,
  SAELENS_NAMES,
  type SaeFile,
  SaeFormatError,
} from "@cursive/sae";
import { oneLine, UsageError } from "../errors.ts";
import { readIfThere } from "../run/files.ts";

/** Formats that autoencoders are read from. */
export const foreignFormats = ["saelens", "dictionary_learning", "sparsify", "openai", "cursive"] as const;

/** The name of one. */
export type ForeignFormat = (typeof foreignFormats)[number];

/** An autoencoder of another program, and whose it is. */
export interface ForeignSae {
  readonly format: ForeignFormat;
  readonly file: SaeFile;
}

/**
 * Reads an autoencoder of any format out of a folder or a file.
 * @param asked The format; by default what the names of the files say.
 * @throws UsageError where there is none, or none that ours can compute.
 */
export async function readForeignSae(path: string, asked?: ForeignFormat): Promise<ForeignSae> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => {
      throw new UsageError(`Expected an autoencoder at ${resolve(path)} but found no such file or folder`);
    },
  );
  const names = isFolder ? await readdir(path) : [basename(path)];
  const format = asked ?? formatOf(names);
  if (!format) {
    const found = names.slice(0, 6).join(", ") || "nothing";
    throw new UsageError(
      `Expected ${SAELENS_NAMES.weights}, sae.safetensors, ae.pt or another .pt in ${path} but found ${found}; --from says whose it is`,
    );
  }
  const inFolder = async (name: string): Promise<Uint8Array | undefined> => (isFolder ? readIfThere(join(path, name)) : undefined);
  const needed = async (name: string): Promise<Uint8Array> => {
    const bytes = isFolder ? await inFolder(name) : await readFile(path);
    if (!bytes) throw new UsageError(`Expected ${name} of an autoencoder of ${format} in ${path} but found none`);
    return bytes;
  };
  try {
    return { format, file: await readers[format]({ needed, inFolder }) };
  } catch (error) {
    if (error instanceof SaeFormatError) throw new UsageError(`${path}: ${oneLine(error)}`);
    throw error;
  }
}

/** Files of a folder by their names; of a file, that file by any. */
interface Files {
  needed(name: string): Promise<Uint8Array>;
  inFolder(name: string): Promise<Uint8Array | undefined>;
}

const readers: Readonly<Record<ForeignFormat, (files: Files) => Promise<SaeFile>>> = {
  saelens: async ({ needed, inFolder }) => {
    const activationScaler = await inFolder(SAELENS_NAMES.activationScaler);
    return readSaeLens({
      cfg: await needed(SAELENS_NAMES.cfg),
      weights: await needed(SAELENS_NAMES.weights),
      ...(activationScaler && { activationScaler }),
    });
  },
  dictionary_learning: async ({ needed, inFolder }) => {
    const config = await inFolder("config.json");
    return readDictionaryLearning({ ae: await needed("ae.pt"), ...(config && { config }) });
  },
  sparsify: async ({ needed }) => readSparsify({ cfg: await needed("cfg.json"), weights: await needed("sae.safetensors") }),
  openai: async ({ needed }) => readOpenAi(await needed("autoencoder.pt")),
  cursive: async ({ needed }) => readSaeFile(await needed("sae.safetensors")),
};

function formatOf(names: readonly string[]): ForeignFormat | undefined {
  if (names.includes(SAELENS_NAMES.weights)) return "saelens";
  if (names.includes("ae.pt")) return "dictionary_learning";
  if (names.includes("sae.safetensors") && names.includes("cfg.json")) return "sparsify";
  if (names.length === 1 && names[0]!.endsWith(".safetensors")) return "cursive";
  return names.length === 1 && names[0]!.endsWith(".pt") ? "openai" : undefined;
}
