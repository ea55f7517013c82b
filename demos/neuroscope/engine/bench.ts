import { StrokeTokenizer, type Transformer } from "@cursive/cursive-model";
import { readSae, type SaeAbout, type SparseAutoencoder } from "@cursive/sae";
import { type Device, openDevice } from "@cursive/tensor";
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
  readonly name: string;
  readonly architecture: string;
  /** The hook whose activations it takes apart. */
  readonly hook: string;
  /** Width of those activations. */
  readonly width: number;
  readonly features: number;
  readonly about: SaeAbout;
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
  #model: Transformer | undefined;
  #tokenizer: StrokeTokenizer | undefined;
  #modelFacts: ModelFacts | undefined;
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
    if (files.sae) bench.loadSae(files.sae);
    return bench;
  }

  /** @throws ForeignFileError before a model is loaded. */
  get model(): Transformer {
    return loaded(this.#model, "a model");
  }

  /** The model's own. */
  get tokenizer(): StrokeTokenizer {
    return loaded(this.#tokenizer, "a model");
  }

  get modelFacts(): ModelFacts {
    return loaded(this.#modelFacts, "a model");
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
   * Puts a model in place of the one before. An autoencoder that does not fit its width is let go.
   * @throws ForeignFileError for a file that holds none; the model before then stays.
   */
  async loadModel({ name, bytes }: NamedBytes): Promise<ModelFacts> {
    const file = await readModelFile(bytes, name);
    const model = openModelFile(file);
    const { state: _, ...facts } = file;
    this.#model = model;
    this.#tokenizer = new StrokeTokenizer(facts.tokenizer);
    this.#modelFacts = facts;
    this.#sae = undefined;
    this.#saeFacts = undefined;
    return facts;
  }

  /** Puts an autoencoder of the model's activations in place. @throws ForeignFileError for a file that holds none, or one of other activations. */
  loadSae({ name, bytes }: NamedBytes): SaeFacts {
    const { sae, about } = readSae(bytes);
    const { dIn, dSae } = sae.config;
    const hook = about.hookSite;
    const site = hook === undefined ? undefined : this.model.hookTable().find((row) => row.name === hook || row.aliases.includes(hook));
    const width = site?.shape.at(-1);
    if (hook === undefined || width !== dIn) {
      const found = `one of ${dIn} numbers of ${hook ?? "activations that it does not name"}`;
      throw new ForeignFileError(`Expected an autoencoder of this model's activations but found ${found}`);
    }
    this.#sae = sae;
    this.#saeFacts = { name: about.name ?? name, architecture: sae.architecture, hook, width: dIn, features: dSae, about };
    return this.#saeFacts;
  }
}

function loaded<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new ForeignFileError(`Expected ${what} to be loaded first but found none`);
  return value;
}
