import process from "node:process";
import { TensorError } from "@cursive/tensor";
import { Command, CommanderError } from "commander";
import { addTrainCommand } from "./commands/train.ts";
import { Interrupted, UsageError } from "./errors.ts";

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
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text) });
  addTrainCommand(program);
  for (const command of program.commands) command.exitOverride().showSuggestionAfterError();
  try {
    if (args.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has printed its line already
  if (error instanceof Interrupted) {
    console.error(error.message);
    return 130;
  }
  if (error instanceof UsageError) {
    console.error(`error: ${error.message}`);
    return 2;
  }
  if (error instanceof TensorError) {
    console.error(`error: ${error.message}`);
    return 1;
  }
  console.error(error instanceof Error && process.env.DEBUG ? error.stack : `error: ${(error as Error).message}`);
  return 1;
}
