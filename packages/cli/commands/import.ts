import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type ReferenceCheckpoint, readReferenceCheckpoint, referenceTokenizer } from "@cursive/cursive-model";
import { TorchFileError } from "@cursive/tensor";
import { type Command, InvalidArgumentError } from "commander";
import { checkFree } from "../data/bank_file.ts";
import { explainFailure, oneLine, UsageError } from "../errors.ts";
import { seal } from "../run/checkpoint.ts";
import { writeWhole } from "../run/files.ts";
import { Output } from "../terminal/output.ts";
import { megabytes } from "../terminal/progress.ts";

interface ImportFlags {
  readonly out?: string;
  readonly config?: string;
  readonly heads?: number;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** `import`: a checkpoint of the PyTorch original as one of ours. */
export function addImportCommand(program: Command): void {
  program
    .command("import")
    .description("Take over a model that the PyTorch original trained: its best_checkpoint.pt becomes a checkpoint for sample and eval.")
    .argument("<file>", "what torch.save wrote: the original's checkpoint, or a state_dict alone")
    .option("--out <file>", "the checkpoint to write (default: the file's name with .safetensors, here)")
    .option("--config <file>", "the original's arguments as JSON, where there are any: n_ctx_head, alphabet and so on")
    .option("--heads <n>", "attention heads, which weights do not show (default: the configuration's, else 4, the original's)", heads)
    .option("--force", "replace a file that is there")
    .option("--json", "what was written, as JSON")
    .option("--quiet", "nothing but errors")
    .addHelpText(
      "after",
      `
Nothing in the file is run: anything but tensors and plain values is refused by its name. Sizes come off the weights, the tokenizer by the
vocabulary: 455 tokens are the original's, 525 its later version's.

Examples:
  pnpm cli import best_checkpoint.pt
  pnpm cli sample --checkpoint best_checkpoint.safetensors hello
  pnpm cli eval --checkpoint best_checkpoint.safetensors --preset reference --data bigbank.json.zip
  pnpm cli import best_checkpoint.pt --config config.json --heads 8 --out theirs.safetensors`,
    )
    .action(async (path: string, flags: ImportFlags) => importCheckpoint(path, { flags, output: new Output(flags) }));
}

async function importCheckpoint(path: string, { flags, output }: { readonly flags: ImportFlags; readonly output: Output }): Promise<void> {
  const out = flags.out ?? `${basename(path).replace(/\.(pt|pth|bin)$/i, "")}.safetensors`;
  await checkFree(out, flags);
  const bytes = await readGiven(path, "a checkpoint");
  const config: unknown =
    flags.config === undefined ? undefined : parsed((await readGiven(flags.config, "a configuration")).toString(), flags.config);
  const { checkpoint, tokenizer } = read(bytes, { path, config, nHead: flags.heads });
  const step = checkpoint.optimizer?.stepCount ?? (checkpoint.step === undefined ? Number.NaN : checkpoint.step + 1);
  const metadata = {
    format: "cursive-model",
    config: JSON.stringify(checkpoint.config),
    tokenizer: JSON.stringify(tokenizer),
    step: String(step),
  };
  const sealed = seal(checkpoint.model, metadata);
  try {
    await writeWhole(out, sealed);
  } catch (error) {
    throw new UsageError(`Expected a file that can be written at ${resolve(out)} but found: ${explainFailure(error)}`);
  }
  output.event("import", {
    path: out,
    bytes: sealed.length,
    step: Number.isNaN(step) ? null : step,
    bestLoss: checkpoint.bestLoss ?? null,
    ...about(checkpoint),
  });
  output.say(describe(checkpoint, step).join("\n"));
  if (checkpoint.headsAssumed)
    output.warn(`warning: nothing says how many heads there are; ${checkpoint.config.nHead}, the original's, are assumed (--heads)`);
  output.say(`wrote    ${out}: ${megabytes(sealed.length)}; \`pnpm cli sample --checkpoint ${out}\` writes with it`);
}

function read(
  bytes: Uint8Array,
  { path, ...options }: { readonly path: string; readonly config: unknown; readonly nHead: number | undefined },
): { checkpoint: ReferenceCheckpoint; tokenizer: ReturnType<typeof referenceTokenizer> } {
  try {
    const checkpoint = readReferenceCheckpoint(bytes, options);
    return { checkpoint, tokenizer: referenceTokenizer(checkpoint) };
  } catch (error) {
    if (error instanceof TorchFileError || error instanceof RangeError) throw new UsageError(`${path}: ${oneLine(error)}`);
    throw error;
  }
}

function about({ config, headsAssumed }: ReferenceCheckpoint): Record<string, unknown> {
  return { config, headsAssumed };
}

function describe({ config, bestLoss, model }: ReferenceCheckpoint, step: number): string[] {
  const { nLayer, nEmbd, nHead, blockSize, vocabSize } = config;
  const parameters = [...model.values()].reduce((sum, { data }) => sum + data.length, 0).toLocaleString("en");
  const loss = bestLoss === undefined ? "" : `, best test loss ${bestLoss.toFixed(4)}`;
  return [
    `model    ${nLayer} layers, ${nEmbd} wide, ${nHead} heads, ${blockSize} tokens of ${vocabSize}: ${parameters} parameters`,
    `trained  ${Number.isNaN(step) ? "the file does not say how long" : `${step.toLocaleString("en")} steps`}${loss}`,
  ];
}

async function readGiven(path: string, what: string): Promise<Buffer> {
  return readFile(path).catch((error) => {
    throw new UsageError(`Expected ${what} at ${resolve(path)} but found: ${oneLine(error)}`);
  });
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`Expected JSON in ${path} but found something else`);
  }
}

function heads(given: string): number {
  if (!/^[1-9]\d{0,3}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number from 1 but found "${given}".`);
  return Number(given);
}
