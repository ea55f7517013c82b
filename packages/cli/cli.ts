import process from "node:process";
import { ShaderError } from "@cursive/tensor";
import { Command, CommanderError } from "commander";
import { addActivationsCommand } from "./commands/activations.ts";
import { addAttentionCommand } from "./commands/attention.ts";
import { addConfigCommand } from "./commands/config.ts";
import { addDataCommand } from "./commands/data.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addEvalCommand } from "./commands/eval.ts";
import { addImportCommand } from "./commands/import.ts";
import { addProfileCommand } from "./commands/profile.ts";
import { addReportCommand } from "./commands/report.ts";
import { addRunsCommand } from "./commands/runs.ts";
import { addSaeCommand } from "./commands/sae.ts";
import { addSampleCommand } from "./commands/sample.ts";
import { addTrainCommand } from "./commands/train.ts";
import { ExitWith, Interrupted, oneLine, RunFailed, UsageError } from "./errors.ts";
import { ownVersion } from "./run/environment.ts";

/**
 * The command line: runs one command and gives its exit code. 0 done, 1 failed, 2 wrong use, 130 interrupted.
 *
 * @example
 * ```ts
 * process.exit(await main(["train", "--preset", "tiny"]));
 * ```
 */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command("cli")
    .description("Train a handwriting transformer on WebGPU and look inside it.")
    .version(await ownVersion(), "-V, --version", "say which version this is")
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/\n(?=\()/, " ")) }) // a suggestion on the same line
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. DEBUG=1 shows where an error comes from.");
  addTrainCommand(program);
  addSampleCommand(program);
  addEvalCommand(program);
  addImportCommand(program);
  addDataCommand(program);
  addRunsCommand(program);
  addReportCommand(program);
  addSaeCommand(program);
  addActivationsCommand(program);
  addAttentionCommand(program);
  addConfigCommand(program);
  addProfileCommand(program);
  addDoctorCommand(program);
  try {
    if (args.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof ExitWith) return error.exitCode;
    const { message, exitCode } = describeError(error);
    if (message !== undefined) console.error(message);
    if (process.env.DEBUG && error instanceof Error) console.error(error.stack);
    if (args.includes("--json") && exitCode !== 0) console.log(JSON.stringify({ event: "error", exitCode, message: oneLine(error) }));
    return exitCode;
  }
}

function describeError(error: unknown): { message?: string; exitCode: number } {
  if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : 2 }; // it has printed its line already
  if (error instanceof Interrupted) return { message: error.message, exitCode: error.exitCode };
  const isListed = error instanceof ShaderError || error instanceof RunFailed; // all shaders' errors, a line each
  const message = `error: ${isListed ? error.message : oneLine(error)}`;
  return { message, exitCode: error instanceof UsageError ? 2 : 1 };
}
