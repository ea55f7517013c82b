import { readSafetensors, writeSafetensors } from "@cursive/tensor";
import type { SaeConfig } from "../create_sae.ts";
import type { SparseAutoencoder } from "../sae.ts";
import type { Json } from "../snapshot.ts";
import { checkedAbout, checkSaeFile, openSaeFile, type SaeAbout, type SaeFile, toSaeFile } from "./sae_file.ts";
import { JsonFields, readingFile, required, SaeFormatError } from "./sae_format_error.ts";

const FORMAT = "cursive-sae";
const VERSION = "1";

/**
 * An autoencoder as one safetensors file, its configuration and what is known of it in the metadata. Equal autoencoders give equal bytes.
 *
 * @example
 * ```ts
 * await writeFile("sae.safetensors", await writeSae(sae, { name: "mlp-0", hookSite: "blocks.0.hook_mlp_out", tokensTrained: 8e6 }));
 * const { sae, about } = readSae(await readFile("sae.safetensors"));
 * ```
 */
export async function writeSae(sae: SparseAutoencoder, about: SaeAbout = {}): Promise<Uint8Array<ArrayBuffer>> {
  return writeSaeFile(await toSaeFile(sae, about));
}

/** Reads {@link writeSae}'s bytes back, on the device opened last. @throws {SaeFormatError} if they hold something else. */
export function readSae(bytes: Uint8Array): { sae: SparseAutoencoder; about: SaeAbout } {
  const file = readSaeFile(bytes);
  return { sae: openSaeFile(file), about: file.about };
}

/** {@link writeSae} of an autoencoder in main memory. */
export function writeSaeFile(file: SaeFile): Uint8Array<ArrayBuffer> {
  checkSaeFile(file);
  const { config, state, about } = file;
  return writeSafetensors(state, {
    metadata: { format: FORMAT, version: VERSION, config: sortedJson(config as unknown as Json), about: sortedJson(about as Json) },
  });
}

/** {@link readSae} into main memory, without a GPU. @throws {SaeFormatError} if the bytes hold something else. */
export function readSaeFile(bytes: Uint8Array): SaeFile {
  const { tensors, metadata } = readingFile("the autoencoder's file", () => readSafetensors(bytes));
  if (metadata.format !== FORMAT)
    throw new SaeFormatError(`Expected an autoencoder's file but found ${metadata.format ?? "another safetensors file"}`);
  if ((metadata.version ?? VERSION) !== VERSION)
    throw new SaeFormatError(`Expected version ${VERSION} of the format but found ${metadata.version}`);
  const config = JsonFields.parse(metadata.config ?? "", "the file's config");
  required(config.text("architecture"), "an architecture in the file's config");
  for (const name of ["dIn", "dSae"]) required(config.size(name), `${name} in the file's config`);
  const file: SaeFile = {
    config: config.fields as unknown as SaeConfig,
    state: tensors,
    about: metadata.about === undefined ? aboutOrigin(metadata.origin) : checkedAbout(JsonFields.parse(metadata.about, "the file's about")),
  };
  checkSaeFile(file);
  return file;
}

/** What the files of `sae train` say of the run that they come from. */
function aboutOrigin(origin: string | undefined): SaeAbout {
  const fields = JsonFields.parse(origin ?? "{}", "the file's origin");
  const [hookSite, tokensTrained, name] = [fields.text("hook"), fields.number("rows"), fields.text("trainedBy")];
  return {
    ...(name !== undefined && { name }),
    ...(hookSite !== undefined && { hookSite }),
    ...(tokensTrained !== undefined && { tokensTrained }),
    foreign: { cursive: fields.fields },
  };
}

/** JSON with keys in order, so that equal values give equal text. */
function sortedJson(value: Json): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
