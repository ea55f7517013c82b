import { makeWords, type Word } from "@cursive/cursive-model";
import { oneLine, UsageError } from "../errors.ts";
import type { Output } from "../terminal/output.ts";
import { checkFree, describeBankFile, writeBankFile } from "./bank_file.ts";

/** Options of `data make`. */
export interface MakeFlags {
  readonly count: number;
  readonly seed: number;
  readonly characters: string;
  readonly letters: readonly [number, number];
  readonly out: string;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** `data make`: writes a bank in the built-in hand. */
export async function makeBank(flags: MakeFlags, output: Output): Promise<void> {
  const { count, seed, characters, letters, out } = flags;
  await checkFree(out, flags);
  output.progress(`writing ${count} words by hand`);
  const file = await writeBankFile(out, written({ count, seed, characters, letters }));
  output.endProgress();
  output.event("bank", { ...file, seed, characters, letters });
  output.say(describeBankFile(file));
}

function written(options: Parameters<typeof makeWords>[0]): Word[] {
  try {
    return makeWords(options);
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(oneLine(error)) : error;
  }
}
