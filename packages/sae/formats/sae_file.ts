import { DeviceError, type HostTensor, type StateDict } from "@cursive/tensor";
import { type Architecture, architectures, createSae, type SaeConfig } from "../create_sae.ts";
import type { SparseAutoencoder } from "../sae.ts";
import type { Json } from "../snapshot.ts";
import { foldScale } from "../train/fold.ts";
import { type JsonFields, SaeFormatError } from "./sae_format_error.ts";

/** What an autoencoder's file says besides its weights. */
export interface SaeAbout {
  readonly name?: string;
  /** Where in the model its activations are, such as `blocks.0.hook_mlp_out`. */
  readonly hookSite?: string;
  readonly modelName?: string;
  /** Tells the model's weights from all others. */
  readonly modelHash?: string;
  /** Rows of activations that it was trained on. */
  readonly tokensTrained?: number;
  /** What activations have to be multiplied with before they are encoded. Default 1; {@link foldActivationScale} makes it so. */
  readonly activationScale?: number;
  /**
   * `"layer-norm"`: every row has its mean taken off and is divided by its standard deviation (D − 1 in the denominator, plus 1e-5) before it
   * is encoded, and x̂ goes the way back, as in OpenAI's TopK. Whoever uses the autoencoder does both. Default `"none"`.
   */
  readonly inputNormalization?: "none" | "layer-norm";
  /** The configuration it was trained with, where the file has another architecture for inference. */
  readonly trainedAs?: Json;
  /** Fields of other programs' configurations that mean nothing here, kept for writing them again. */
  readonly foreign?: { readonly [format: string]: Json };
}

/** An autoencoder in main memory, as files hold it: what every format is read to and written from. No GPU is needed for it. */
export interface SaeFile {
  readonly config: SaeConfig;
  /** `W_enc [D, F]`, `W_dec [F, D]`, `b_dec [D]` and the architecture's others. */
  readonly state: StateDict;
  readonly about: SaeAbout;
}

/** An autoencoder as files hold it. */
export async function toSaeFile(sae: SparseAutoencoder, about: SaeAbout = {}): Promise<SaeFile> {
  const config = { ...(sae.config as unknown as SaeConfig), architecture: sae.architecture as Architecture } as SaeConfig;
  return { config, state: await sae.stateDict(), about };
}

/** Makes the autoencoder of a file, on the device opened last. @throws {SaeFormatError} if its configuration makes none. */
export function openSaeFile(file: SaeFile): SparseAutoencoder {
  checkSaeFile(file);
  try {
    const sae = createSae(file.config);
    sae.loadStateDict(file.state);
    return sae;
  } catch (error) {
    if (error instanceof DeviceError) throw error;
    const why = error instanceof Error ? error.message : String(error); // whatever a file's configuration may have in place of numbers
    throw new SaeFormatError(`Expected an autoencoder's configuration but found: ${why}`);
  }
}

/** The same autoencoder for activations as they are: its activation scale in its weights. */
export function foldActivationScale(file: SaeFile): SaeFile {
  const { activationScale = 1, ...about } = file.about;
  return activationScale === 1 ? { ...file, about } : { ...file, about, state: foldScale(file.state, activationScale) };
}

/** Every tensor of an architecture, with its shape. */
export function saeShapes({
  architecture,
  dIn: D,
  dSae: F,
}: Pick<SaeConfig, "architecture" | "dIn" | "dSae">): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>([
    ["W_enc", [D, F]],
    ["W_dec", [F, D]],
    ["b_dec", [D]],
  ]);
  for (const name of architecture === "gated" ? ["b_gate", "b_mag", "r_mag"] : ["b_enc"]) shapes.set(name, [F]);
  if (architecture === "jumprelu") shapes.set("threshold", [F]);
  if (architecture === "batchtopk" || architecture === "matryoshka") shapes.set("topk_threshold", []);
  return shapes;
}

/** @throws {SaeFormatError} unless the state has the tensors that the configuration makes, all finite numbers. */
export function checkSaeFile({ config, state }: SaeFile): void {
  if (!architectures.includes(config.architecture))
    throw new SaeFormatError(`Expected one of ${architectures.join(", ")} but found architecture '${config.architecture}'`);
  const shapes = saeShapes(config);
  for (const [name, shape] of shapes) {
    const found = state.get(name);
    if (!found) throw new SaeFormatError(`Expected ${name} [${shape.join(", ")}] of a ${config.architecture} autoencoder but found none`);
    if (found.dtype !== "f32" || found.shape.join() !== shape.join())
      throw new SaeFormatError(`Expected ${name} to be f32 [${shape.join(", ")}] but found ${found.dtype} [${found.shape.join(", ")}]`);
    if (!(found.data as Float32Array).every(Number.isFinite))
      throw new SaeFormatError(`Expected finite numbers in ${name} but found others`);
  }
  const stranger = [...state.keys()].find((name) => !shapes.has(name));
  if (stranger !== undefined)
    throw new SaeFormatError(`Expected the tensors of a ${config.architecture} autoencoder but found ${JSON.stringify(stranger)} too`);
}

/** What a file says of its autoencoder. @throws {SaeFormatError} for fields of other types. */
export function checkedAbout(fields: JsonFields): SaeAbout {
  for (const name of ["name", "hookSite", "modelName", "modelHash"]) fields.text(name);
  fields.number("tokensTrained");
  const scale = fields.number("activationScale") ?? 1;
  if (!(scale > 0)) throw new SaeFormatError(`Expected an activationScale above 0 but found ${scale}`);
  const normalization = fields.text("inputNormalization") ?? "none";
  if (normalization !== "none" && normalization !== "layer-norm")
    throw new SaeFormatError(`Expected inputNormalization none or layer-norm but found ${JSON.stringify(normalization)}`);
  fields.object("foreign");
  return fields.fields as SaeAbout;
}

/** A tensor of a file. @throws {SaeFormatError} if it is not there. */
export function tensorNamed(state: ReadonlyMap<string, HostTensor>, name: string): HostTensor {
  const found = state.get(name);
  if (!found) throw new SaeFormatError(`Expected a tensor ${name} but found ${[...state.keys()].slice(0, 8).join(", ") || "none"}`);
  return found;
}

/** A matrix `[rows, columns]` as `[columns, rows]`: torch's linear layers have their weights [out, in]. */
export function transposedTensor({ shape, dtype, data }: HostTensor): HostTensor {
  if (shape.length !== 2 || data.length === 0) throw new SaeFormatError(`Expected a matrix but found a tensor [${shape.join(", ")}]`);
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c]!;
  return { shape: [columns, rows], dtype, data: result };
}

/** One number as a tensor `[]`. */
export function scalarTensor(value: number): HostTensor {
  return { shape: [], dtype: "f32", data: Float32Array.of(value) };
}

/** D and F by W_enc `[D, F]`. */
export function sizesOf(W_enc: HostTensor): { dIn: number; dSae: number } {
  const [dIn, dSae] = W_enc.shape;
  if (W_enc.shape.length !== 2 || !dIn || !dSae)
    throw new SaeFormatError(`Expected encoder weights of D × F but found [${W_enc.shape.join(", ")}]`);
  return { dIn, dSae };
}
