// Runs a command in an environment in which WebGPU has an adapter.
//
//   node scripts/with_gpu.mjs [--driver lavapipe|swiftshader] COMMAND [ARGUMENTS]
//
// The machine's own drivers come first. On Linux, where none works, a software driver is fetched once into the user's cache, without root.
// --no-download anywhere among the arguments, or CURSIVE_NO_DOWNLOAD=1, refuses that; it is not passed on. --driver, or CURSIVE_DRIVER, forces one.
// macOS and Windows bring what Dawn needs.
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { generateShaders } from "./gen_shaders.mjs";
import { chooseEnvironment, NoDriverError, withChoice } from "./gpu/choose.mjs";
import { say } from "./gpu/report.mjs";
import { runCommand } from "./gpu/run_command.mjs";

const USAGE = "Usage: node scripts/with_gpu.mjs [--driver lavapipe|swiftshader] [--no-download] COMMAND [ARGUMENTS]";

/** @typedef {{ command: string | undefined, args: string[], driver: string | undefined, download: boolean }} Request */

/**
 * Takes this script's own options out of its arguments.
 *
 * @param {readonly string[]} argv
 * @param {NodeJS.ProcessEnv} env
 * @returns {Request}
 */
export function parseRequest(argv, env) {
  const rest = argv.filter((argument) => argument !== "--no-download");
  const driver = rest[0] === "--driver" ? rest.splice(0, 2)[1] : env.CURSIVE_DRIVER || undefined;
  const download = !argv.includes("--no-download") && !["1", "true"].includes(env.CURSIVE_NO_DOWNLOAD ?? "");
  const [command, ...args] = rest;
  return { command, args, driver, download };
}

/**
 * Whether a command only asks what it could do: that needs no GPU, and should not fetch one.
 *
 * @param {readonly string[]} args
 */
function asksForHelp(args) {
  return args.some((argument) => argument === "--help" || argument === "-h" || argument === "--version");
}

/**
 * Whether a command is the doctor, who says what is wrong and so has to start where nothing else does, without waiting for a download that
 * nobody asked for.
 *
 * @param {readonly string[]} args
 */
export function callsDoctor(args) {
  const main = args.findIndex((argument) => /[\\/]cli[\\/]main\.ts$/.test(argument));
  return main >= 0 && args[main + 1] === "doctor";
}

/** @returns {Promise<number>} the exit code */
async function main() {
  const { command, args, driver, download } = parseRequest(process.argv.slice(2), process.env);
  if (!command) {
    say(USAGE);
    return 2;
  }
  if (driver && process.platform !== "linux") {
    say(`Expected Linux for the driver ${driver} but found ${process.platform}, where Dawn uses the system's own`);
    return 1;
  }
  process.env.PATH = [fileURLToPath(new URL("../node_modules/.bin", import.meta.url)), process.env.PATH].filter(Boolean).join(delimiter);
  // Here, and not as a command before this one: a shell that runs two commands would stand between a signal and the second.
  generateShaders();
  let env = process.env;
  if (process.platform === "linux" && !asksForHelp(args)) {
    const isDoctor = callsDoctor(args);
    const mayDownload = download && (!isDoctor || args.includes("--download"));
    try {
      env = await chooseEnvironment(env, { forced: driver, download: mayDownload });
    } catch (error) {
      if (!(error instanceof NoDriverError)) throw error;
      if (!isDoctor) {
        say(error.message);
        return 1;
      }
      env = withChoice(env, { why: "none", driver, message: error.message, install: error.install, triedDownload: mayDownload });
    }
  }
  return runCommand(command, args, { env });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
