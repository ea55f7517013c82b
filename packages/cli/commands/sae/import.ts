import { resolve } from "node:path";
import { foldActivationScale } from "@cursive/sae";
import { type Command, Option } from "commander";
import { checkFree } from "../../data/bank_file.ts";
import { explainFailure, UsageError } from "../../errors.ts";
import { readIfThere, writeWhole } from "../../run/files.ts";
import { hashOf } from "../../run/model_data.ts";
import { type ForeignFormat, foreignFormats, readForeignSae } from "../../sae/foreign_sae.ts";
import { encodeSae, type SaeOrigin } from "../../sae/save_sae.ts";
import { Output } from "../../terminal/output.ts";

interface SaeImportFlags {
  readonly out: string;
  readonly from?: ForeignFormat;
  readonly hook?: string;
  readonly checkpoint?: string;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** `sae import`: an autoencoder of another program as one of ours. */
export function addSaeImportCommand(sae: Command): void {
  sae
    .command("import")
    .description("Take over an autoencoder of SAELens, dictionary_learning, sparsify or OpenAI.")
    .argument("<path>", "a folder, or a file that holds all")
    .option("--out <file>", "the file to write", "sae.safetensors")
    .addOption(new Option("--from <format>", "whose it is (default: what the names of its files say)").choices([...foreignFormats]))
    .option("--hook <name>", "the hook whose activations it takes (default: what it says itself)")
    .option("--checkpoint <file>", "the model's checkpoint, for eval and features")
    .option("--force", "replace a file that is there")
    .option("--json", "what was written, as JSON")
    .option("--quiet", "nothing but errors")
    .addHelpText(
      "after",
      `
Weights are transposed and renamed, scales folded in, so that it takes activations as they are; what ours cannot compute is refused by name.

Examples:
  pnpm cli sae import their_sae/ --hook blocks.0.hook_mlp_out --checkpoint best_checkpoint.safetensors
  pnpm cli sae eval sae.safetensors
  pnpm cli sae import trainer_0/ --from dictionary_learning --hook blocks.0.hook_mlp_out --out theirs.safetensors`,
    )
    .action(async (path: string, flags: SaeImportFlags) => importSae(path, { flags, output: new Output(flags) }));
}

async function importSae(path: string, { flags, output }: { readonly flags: SaeImportFlags; readonly output: Output }): Promise<void> {
  const { out, from, hook, checkpoint } = flags;
  await checkFree(out, flags);
  const { format, file } = await readForeignSae(path, from);
  if (file.about.inputNormalization === "layer-norm")
    throw new UsageError(
      `${path}: Expected an autoencoder of activations as they are but found one of normalised rows, which no command here makes`,
    );
  const { config, state, about } = foldActivationScale(file);
  const site = hook ?? about.hookSite;
  if (site === undefined)
    throw new UsageError("Expected --hook, as the file does not say whose activations the autoencoder takes, but found none");
  const weights = checkpoint === undefined ? undefined : await readIfThere(resolve(checkpoint));
  if (checkpoint !== undefined && !weights) throw new UsageError(`Expected a checkpoint at ${resolve(checkpoint)} but found no such file`);
  const modelHash = weights ? hashOf(weights) : about.modelHash;
  if (about.modelHash !== undefined && modelHash !== about.modelHash)
    output.warn(`note: ${path} says that it was trained on other weights than those of ${checkpoint}`);
  const origin: SaeOrigin = {
    hook: site,
    checkpoint: checkpoint === undefined ? "" : resolve(checkpoint),
    run: null,
    ...(modelHash !== undefined && { modelHash }),
    trainedBy: about.name ?? format,
    steps: 0,
    rows: about.tokensTrained ?? 0,
  };
  try {
    await writeWhole(out, encodeSae(state, { config, origin }));
  } catch (error) {
    throw new UsageError(`Expected a file that can be written at ${resolve(out)} but found: ${explainFailure(error)}`);
  }
  const { architecture, dIn, dSae } = config;
  output.event("sae import", { path: out, format, architecture, dIn, dSae, hook: site });
  output.say(`wrote    ${out}: ${architecture}, ${dIn} to ${dSae}, of ${site}, from ${format}`);
  if (checkpoint === undefined) output.say("Its file names no model: commands want --checkpoint or --run.");
}
