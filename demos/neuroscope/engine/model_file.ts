import { StrokeTokenizer, type StrokeTokenizerConfig, Transformer, type TransformerConfig } from "@cursive/cursive-model";
import { type HostTensor, readSafetensors, writeSafetensors } from "@cursive/tensor";
import { digestOf } from "./digest.ts";

/** A file that is not what was asked for. The message says what was found instead. */
export class ForeignFileError extends Error {
  override name = "ForeignFileError";
}

/** What a model's file says of it besides its weights. */
export interface ModelFacts {
  /** Equal files have equal ones, others have others: names say less, as two runs have a `best` each. */
  readonly id: string;
  /** The name that its file had. */
  readonly file: string;
  /** What it is called: of the run that trained it. */
  readonly name: string;
  readonly config: TransformerConfig;
  readonly tokenizer: StrokeTokenizerConfig;
  /** Steps it was trained. */
  readonly step: number;
  /** The characters that its training texts had; those of its alphabet where the file does not say. */
  readonly characters: string;
  /** Most characters of a word that it was trained on; as many as it takes where the file does not say. */
  readonly longestWord: number;
  readonly parameters: number;
  readonly bytes: number;
}

/** A model's file in main memory. */
export interface ModelFile extends ModelFacts {
  readonly state: ReadonlyMap<string, HostTensor>;
}

const kinds: Readonly<Record<string, string>> = { "cursive-model": "", "cursive-run": "model." };

/**
 * Reads what `pnpm cli train` saves (`best.safetensors`, `last.safetensors`), and the slim file that the app ships: parameters, configuration,
 * tokenizer; moments of an optimizer are passed over.
 *
 * @throws ForeignFileError for anything else, with the reason.
 */
export async function readModelFile(bytes: Uint8Array, name: string): Promise<ModelFile> {
  const { tensors, metadata } = refusing("a safetensors file", () => readSafetensors(bytes));
  const prefix = kinds[metadata.format ?? ""];
  if (prefix === undefined) throw new ForeignFileError(`Expected a model of \`pnpm cli train\` but found ${described(metadata.format)}`);
  await checkSeal(tensors, metadata);
  const { config, tokenizer } = refusing("a model's configuration", () => ({
    config: JSON.parse(metadata.config ?? "") as TransformerConfig,
    tokenizer: new StrokeTokenizer(JSON.parse(metadata.tokenizer ?? "")),
  }));
  const state = new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, tensor]) => [key.slice(prefix.length), tensor]));
  for (const [key, { data }] of state)
    if (!(data as Float32Array).every(Number.isFinite)) throw new ForeignFileError(`Expected finite numbers in ${key} but found others`);
  return {
    id: await digestOf(bytes),
    file: `${name}.safetensors`,
    name: metadata.name ?? name,
    config,
    tokenizer: tokenizer.toJSON(),
    step: Number(metadata.step ?? 0),
    characters: metadata.characters ?? tokenizer.alphabet,
    longestWord: Math.min(Number(metadata.longestWord ?? config.contextBlockSize), config.contextBlockSize),
    parameters: [...state.values()].reduce((sum, { data }) => sum + data.length, 0),
    bytes: bytes.length,
    state,
  };
}

/** The model of a file, on the device opened last. @throws ForeignFileError if its tensors are not those of its configuration. */
export function openModelFile({ config, state }: ModelFile): Transformer {
  return refusing("the parameters of the file's configuration", () => {
    const model = new Transformer(config);
    model.loadStateDict(new Map(state));
    return model;
  });
}

/** Checks the checksum that a checkpoint carries, where it does. */
async function checkSeal(tensors: ReadonlyMap<string, HostTensor>, { sha256, ...metadata }: Record<string, string>): Promise<void> {
  if (sha256 === undefined) return;
  // Equal tensors and metadata give equal bytes, so the file can be made again without the checksum.
  if ((await digestOf(writeSafetensors(tensors, { metadata }))) !== sha256)
    throw new ForeignFileError("Expected the content that the file's checksum promises but found other bytes: it is damaged");
}

function described(format: string | undefined): string {
  if (format === "cursive-sae") return "an autoencoder, which has a button of its own";
  if (format === "cursive-sae-run") return "an autoencoder's run, which is opened on the Train page";
  return format ?? "a safetensors file of another program";
}

function refusing<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && /Device|OutOfMemory/.test(error.name)) throw error;
    throw new ForeignFileError(`Expected ${what} but found: ${error instanceof Error ? error.message : String(error)}`);
  }
}
