import process from "node:process";
import { ShaderError } from "@cursive/tensor";
import { Command, CommanderError } from "commander";
import { ExitWith, Interrupted, oneLine, RunFailed, UsageError } from "./errors.ts";
import { ownVersion } from "./run/environment.ts";

/** Loads the command of a name. One command is all that most runs need, and loading all of them takes longer than some of them run. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  train: async () => (await import("./commands/train.ts")).addTrainCommand,
  sample: async () => (await import("./commands/sample.ts")).addSampleCommand,
  eval: async () => (await import("./commands/eval.ts")).addEvalCommand,
  import: async () => (await import("./commands/import.ts")).addImportCommand,
  data: async () => (await import("./commands/data.ts")).addDataCommand,
  runs: async () => (await import("./commands/runs.ts")).addRunsCommand,
  report: async () => (await import("./commands/report.ts")).addReportCommand,
  sae: async () => (await import("./commands/sae.ts")).addSaeCommand,
  activations: async () => (await import("./commands/activations.ts")).addActivationsCommand,
  attention: async () => (await import("./commands/attention.ts")).addAttentionCommand,
  config: async () => (await import("./commands/config.ts")).addConfigCommand,
  profile: async () => (await import("./commands/profile.ts")).addProfileCommand,
  doctor: async () => (await import("./commands/doctor.ts")).addDoctorCommand,
};

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
  const named = args[0] !== undefined && Object.hasOwn(commands, args[0]) ? [commands[args[0]]!] : Object.values(commands);
  for (const load of named) (await load())(program);
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
