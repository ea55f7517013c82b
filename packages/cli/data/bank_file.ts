import { access } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { maxWordBankBytes, readWordBank, type Word, writeWordBank } from "@cursive/cursive-model";
import { explainFailure, UsageError } from "../errors.ts";
import { hashWords } from "../run/environment.ts";
import { writeWhole } from "../run/files.ts";
import { megabytes } from "../terminal/progress.ts";

/** A word bank that was written. */
export interface BankFile {
  readonly path: string;
  readonly words: number;
  readonly bytes: number;
  /** SHA-256 of the words as they are read from it: what `env.json` of a run on it has. */
  readonly hash: string;
}

/** @throws UsageError if a file is in the way. */
export async function checkFree(path: string, { force }: { readonly force?: boolean }): Promise<void> {
  const isTaken = await access(path).then(
    () => true,
    () => false,
  );
  if (isTaken && !force) throw new UsageError(`Expected no file at ${resolve(path)} but found one: --force replaces it`);
}

/**
 * Writes words as a bank, zipped if the name ends in `.zip`, whole or not at all.
 * @throws UsageError if it would be larger than banks may be, or cannot be written.
 */
export async function writeBankFile(path: string, words: readonly Word[]): Promise<BankFile> {
  const isZip = path.toLowerCase().endsWith(".zip");
  const inner = basename(path).replace(/\.zip$/i, "");
  const plain = writeWordBank(words);
  if (plain.length > maxWordBankBytes) {
    const [most, found] = [megabytes(maxWordBankBytes), megabytes(plain.length)];
    throw new UsageError(`Expected words of at most ${most} as JSON but found ${found} of ${words.length} words: write fewer`);
  }
  const bytes = isZip ? writeWordBank(words, { zipAs: /\.json$/i.test(inner) ? inner : `${inner}.json` }) : plain;
  try {
    await writeWhole(path, bytes);
  } catch (error) {
    throw new UsageError(`Expected a file that can be written at ${resolve(path)} but found: ${explainFailure(error)}`);
  }
  return { path, words: words.length, bytes: bytes.length, hash: hashWords(await readWordBank(plain)) };
}

/** What was written, for people. */
export function describeBankFile({ path, words, bytes, hash }: BankFile): string {
  return `wrote    ${path}: ${words.toLocaleString("en")} words, ${megabytes(bytes)}, hash ${hash.slice(0, 16)}`;
}
