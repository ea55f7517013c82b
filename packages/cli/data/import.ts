import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import {
  type DuplicatePolicy,
  type ImportedFile,
  type ImportFile,
  type ImportResult,
  importWordBanks,
  type SkippedWord,
  type SkipReason,
  skipReasons,
  WordBankError,
} from "@cursive/cursive-model";
import { quoted } from "../config/field.ts";
import { oneLine, UsageError } from "../errors.ts";
import type { Output } from "../terminal/output.ts";
import { checkFree, describeBankFile, writeBankFile } from "./bank_file.ts";

/** Options of `data import`. */
export interface ImportFlags {
  readonly out?: string;
  readonly duplicates: DuplicatePolicy;
  readonly repair?: true;
  readonly member?: string;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** Words that are named for each reason; `--json` has all. */
const EXAMPLES = 3;

/** `data import`: reads banks, says what is wrong with them, and writes the rest as one. */
export async function importFiles(paths: readonly string[], { flags, output }: { flags: ImportFlags; output: Output }): Promise<void> {
  const { duplicates, repair, member, out } = flags;
  if (out !== undefined) await checkFree(out, flags);
  const files = await Promise.all(paths.map((path) => opened(path, member)));
  const onFile = (name: string): void => output.progress(`reading ${name}`);
  const { words, files: accounts } = await imported(files, { duplicates, repair, onFile });
  output.endProgress();
  output.say(accounts.map(describeAccount).join("\n"));
  if (words.length === 0) throw new UsageError(`Expected at least one word to take but found none in ${paths.join(", ")}`);
  const bank = out === undefined ? null : await writeBankFile(out, words);
  output.event("import", { words: words.length, files: accounts, skipped: countReasons(accounts), bank });
  const total = `${words.length.toLocaleString("en")} words in all`;
  output.say(bank ? describeBankFile(bank) : `${total}; nothing was written: --out FILE does`);
}

async function opened(path: string, member: string | undefined): Promise<ImportFile> {
  try {
    return { name: basename(path), bytes: await readFile(path), member };
  } catch (error) {
    throw new UsageError(`Expected a word bank (zip or JSON) at ${path} but found: ${oneLine(error)}`);
  }
}

async function imported(files: readonly ImportFile[], options: Parameters<typeof importWordBanks>[1]): Promise<ImportResult> {
  try {
    return await importWordBanks(files, options);
  } catch (error) {
    throw error instanceof WordBankError ? new UsageError(error.message) : error;
  }
}

/** A file's account: what was taken, and for each reason what was not. */
function describeAccount({ name, found, kept, repaired, skipped }: ImportedFile): string {
  const left = skipped.length === 0 ? "all taken" : `${kept.toLocaleString("en")} taken, ${skipped.length.toLocaleString("en")} left out`;
  const mended = repaired > 0 ? `, ${repaired} of them with the pen lifted at the end` : "";
  const reasons = (Object.keys(skipReasons) as SkipReason[]).flatMap((reason) => {
    const words = skipped.filter((word) => word.reason === reason);
    if (words.length === 0) return [];
    const more = words.length > EXAMPLES ? [`    and ${(words.length - EXAMPLES).toLocaleString("en")} more`] : [];
    return [
      `  ${words.length.toLocaleString("en")}  ${reason}: ${skipReasons[reason]}`,
      ...words.slice(0, EXAMPLES).map(describeSkipped),
      ...more,
    ];
  });
  return [`${name}: ${found.toLocaleString("en")} words, ${left}${mended}`, ...reasons].join("\n");
}

function describeSkipped({ index, text, detail }: SkippedWord): string {
  return `    word ${index}${text === null ? "" : ` ${quoted(text)}`}: ${detail}`;
}

function countReasons(accounts: readonly ImportedFile[]): Partial<Record<SkipReason, number>> {
  const counts: Partial<Record<SkipReason, number>> = {};
  for (const { reason } of accounts.flatMap(({ skipped }) => skipped)) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
