import { join, resolve } from "node:path";
import { SAELENS_NAMES, type SaeAbout, SaeFormatError, toSaeFile, writeSaeFile, writeSaeLens } from "@cursive/sae";
import { openDevice } from "@cursive/tensor";
import { type Command, Option } from "commander";
import { checkFree } from "../../data/bank_file.ts";
import { explainFailure, oneLine, UsageError } from "../../errors.ts";
import { writeWhole } from "../../run/files.ts";
import { describeSae, findSae } from "../../sae/load_sae.ts";
import { Output } from "../../terminal/output.ts";

interface SaeExportFlags {
  readonly name?: string;
  readonly runs: string;
  readonly to: "saelens" | "cursive";
  readonly out?: string;
  readonly model: string;
  readonly unitDecoder?: true;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** `sae export`: an autoencoder for other programs. */
export function addSaeExportCommand(sae: Command): void {
  sae
    .command("export")
    .description("Write an autoencoder for SAELens, and so for all that reads its directories.")
    .argument("[sae]", "a file, or a run that trained it: its name, number or folder (default: the last one)")
    .option("--name <name>", "which one of a run that trained several")
    .option("--runs <folder>", "where run folders are; those of autoencoders are in saes/ there", "runs")
    .addOption(
      new Option("--to <format>", "saelens: a directory of cfg.json and sae_weights.safetensors; cursive: one file")
        .choices(["saelens", "cursive"])
        .default("saelens"),
    )
    .option("--out <path>", "the directory or file to write (default: sae_export, or sae.safetensors)")
    .option("--model <name>", "the model's name in cfg.json", "cursive-transformer")
    .option("--unit-decoder", "scale the decoder's rows to norm 1 and latents up by as much (not for topk)")
    .option("--force", "replace files that are there")
    .option("--json", "what was written, as JSON")
    .option("--quiet", "nothing but errors")
    .addHelpText(
      "after",
      `
What is written reconstructs the same: BatchTopK and Matryoshka become JumpReLU with their threshold, as SAELens has them at inference.

Examples:
  pnpm cli sae export                                the last autoencoder, into sae_export/
  pnpm cli sae export 3 --name k-8 --out k8/
  pnpm cli sae export 3 --to cursive --out sae.safetensors`,
    )
    .action(async (asked: string | undefined, flags: SaeExportFlags) => exportSae(asked, { flags, output: new Output(flags) }));
}

async function exportSae(
  asked: string | undefined,
  { flags, output }: { readonly flags: SaeExportFlags; readonly output: Output },
): Promise<void> {
  const { runs, name, to, model, unitDecoder = false } = flags;
  const out = flags.out ?? (to === "saelens" ? "sae_export" : "sae.safetensors");
  using _device = await openDevice();
  const loaded = await findSae({ runs, sae: asked, name });
  const { hook, trainedBy, rows, modelHash } = loaded.origin;
  const about: SaeAbout = { name: trainedBy, hookSite: hook, modelName: model, modelHash, tokensTrained: rows };
  const file = await toSaeFile(loaded.sae, about);
  const files = new Map<string, Uint8Array>();
  try {
    if (to === "cursive") files.set(out, writeSaeFile(file));
    else {
      const { cfg, weights } = writeSaeLens(file, { unitDecoder });
      files.set(join(out, SAELENS_NAMES.cfg), cfg).set(join(out, SAELENS_NAMES.weights), weights);
    }
  } catch (error) {
    throw error instanceof SaeFormatError ? new UsageError(oneLine(error)) : error;
  }
  for (const path of files.keys()) await checkFree(path, flags);
  try {
    for (const [path, bytes] of files) await writeWhole(path, bytes);
  } catch (error) {
    throw new UsageError(`Expected files that can be written at ${resolve(out)} but found: ${explainFailure(error)}`);
  }
  output.event("sae export", { path: out, format: to, files: [...files.keys()] });
  output.say(`from     ${describeSae(loaded)}`);
  output.say(`wrote    ${[...files.keys()].join(", ")}`);
}
