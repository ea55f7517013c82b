import { StrokeTokenizer, type Transformer } from "@cursive/cursive-model";
import { readSae, type SaeAbout, type SparseAutoencoder } from "@cursive/sae";
import { type Device, openDevice } from "@cursive/tensor";
import { digestOf } from "./digest.ts";
import { ForeignFileError, type ModelFacts, openModelFile, readModelFile } from "./model_file.ts";

/** What is known of the GPU, as plain data. */
export interface AdapterFacts {
  readonly name: string;
  /** True for adapters that run on the CPU. */
  readonly isSoftware: boolean;
  readonly subgroupSize: number;
  /** The kernels chosen for it. */
  readonly family: string;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/** What is known of an autoencoder, as plain data. */
export interface SaeFacts {
  /** Equal files have equal ones, others have others. */
  readonly id: string;
  readonly name: string;
  readonly architecture: string;
  /** The hook whose activations it takes apart. */
  readonly hook: string;
  /** Width of those activations. */
  readonly width: number;
  readonly features: number;
  readonly about: SaeAbout;
}

/** A model that is ready to be used. */
export interface OpenedModel {
  readonly model: Transformer;
  /** The model's own. */
  readonly tokenizer: StrokeTokenizer;
  readonly modelFacts: ModelFacts;
}

/** A file's bytes and what to call it. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Everything that the app's calls work on: the GPU, a model, and an autoencoder of its activations if there is one. It knows no DOM, so that calls
 * can be tested in Node.
 *
 * @example
 * ```ts
 * const bench = await Bench.open({ model: { name: "demo", bytes: await readFile("assets/model.safetensors") } });
 * const [tokens] = await generate(bench.model, { tokenizer: bench.tokenizer, texts: ["ink"] });
 * ```
 */
export class Bench {
  readonly device: Device;
  #opened: OpenedModel | undefined;
  #sae: SparseAutoencoder | undefined;
  #saeFacts: SaeFacts | undefined;

  /** `model` and `sae` come later through {@link loadModel} and {@link loadSae}. */
  constructor(device: Device) {
    this.device = device;
  }

  /** Opens a GPU and loads files. @throws DeviceError without a GPU. @throws ForeignFileError for other files. */
  static async open(files: { readonly model: NamedBytes; readonly sae?: NamedBytes }): Promise<Bench> {
    const bench = new Bench(await openDevice());
    await bench.loadModel(files.model);
    if (files.sae) await bench.loadSae(files.sae);
    return bench;
  }

  /** @throws ForeignFileError before a model is loaded. */
  get model(): Transformer {
    return loaded(this.#opened).model;
  }

  /** The model's own. */
  get tokenizer(): StrokeTokenizer {
    return loaded(this.#opened).tokenizer;
  }

  get modelFacts(): ModelFacts {
    return loaded(this.#opened).modelFacts;
  }

  /** The autoencoder of the model's activations, if there is one. */
  get sae(): SparseAutoencoder | undefined {
    return this.#sae;
  }

  get saeFacts(): SaeFacts | undefined {
    return this.#saeFacts;
  }

  get adapterFacts(): AdapterFacts {
    const { name, isSoftware, subgroupSize, family, features, limits } = this.device;
    const numbers: Record<string, number> = {};
    for (const key in limits) {
      const value = limits[key as keyof GPUSupportedLimits];
      if (typeof value === "number") numbers[key] = value;
    }
    return { name, isSoftware, subgroupSize, family, features: [...features].sort(), limits: numbers };
  }

  /**
   * Puts a model in place of the one before. The autoencoder goes with that one, as it is of other activations.
   *
   * @param options.tryOut uses the model first; where that throws, the model before and its autoencoder stay.
   * @throws ForeignFileError for a file that holds none, and what `tryOut` throws; the model before then stays.
   */
  async loadModel(
    { name, bytes }: NamedBytes,
    { tryOut }: { readonly tryOut?: (model: OpenedModel) => Promise<void> } = {},
  ): Promise<ModelFacts> {
    const file = await readModelFile(bytes, name);
    const { state: _, ...modelFacts } = file;
    const opened = { model: openModelFile(file), tokenizer: new StrokeTokenizer(modelFacts.tokenizer), modelFacts };
    await tryOut?.(opened);
    this.#opened = opened;
    this.#sae = undefined;
    this.#saeFacts = undefined;
    return modelFacts;
  }

  /** Puts an autoencoder of the model's activations in place. @throws ForeignFileError for a file that holds none, or one of other activations. */
  async loadSae({ name, bytes }: NamedBytes): Promise<SaeFacts> {
    const { sae, about } = readSae(bytes);
    const { dIn, dSae } = sae.config;
    const hook = about.hookSite;
    const site = hook === undefined ? undefined : this.model.hookTable().find((row) => row.name === hook || row.aliases.includes(hook));
    const width = site?.shape.at(-1);
    if (hook === undefined || width !== dIn) {
      const found = `one of ${dIn} numbers of ${hook ?? "activations that it does not name"}`;
      throw new ForeignFileError(`Expected an autoencoder of this model's activations but found ${found}`);
    }
    const id = await digestOf(bytes);
    this.#sae = sae;
    this.#saeFacts = { id, name: about.name ?? name, architecture: sae.architecture, hook, width: dIn, features: dSae, about };
    return this.#saeFacts;
  }
}

function loaded(model: OpenedModel | undefined): OpenedModel {
  if (model === undefined) throw new ForeignFileError("Expected a model to be loaded first but found none");
  return model;
}
