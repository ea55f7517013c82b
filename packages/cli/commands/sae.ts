import type { Command } from "commander";
import { addSaeCompareCommand } from "./sae/compare.ts";
import { addSaeEvalCommand } from "./sae/eval.ts";
import { addSaeExportCommand } from "./sae/export.ts";
import { addSaeFeaturesCommand } from "./sae/features.ts";
import { addSaeImportCommand } from "./sae/import.ts";
import { addSaeSteerCommand } from "./sae/steer.ts";
import { addSaeTrainCommand } from "./sae/train.ts";

/** `sae`: sparse autoencoders on a model's activations. */
export function addSaeCommand(program: Command): void {
  const sae = program.command("sae").description("Train sparse autoencoders on a model's activations and look at what they find.");
  addSaeTrainCommand(sae);
  addSaeEvalCommand(sae);
  addSaeFeaturesCommand(sae);
  addSaeCompareCommand(sae);
  addSaeExportCommand(sae);
  addSaeImportCommand(sae);
  addSaeSteerCommand(sae);
}
