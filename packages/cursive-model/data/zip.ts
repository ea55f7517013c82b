import { Unzip, UnzipInflate } from "fflate";
import { WordBankError } from "./word_bank_error.ts";

const slice = 2 ** 14; // it inflates to at most about 1,032 times its size, so this bounds what is held beyond the limit

/** What {@link unzipJson} takes out of a zip. */
export interface UnzipOptions {
  /** The member's name. Default: the first `.json` that is not one of macOS's `__MACOSX` companions. */
  readonly member?: string;
  /** The most bytes to inflate. */
  readonly maxBytes: number;
}

/**
 * Inflates one member of a zip, in slices, giving up as soon as it exceeds its limit: the sizes that a zip declares cannot be trusted.
 *
 * @throws {WordBankError} if the zip is damaged or cut off, lacks the member, or holds too much.
 */
export function unzipJson(zip: Uint8Array, { member, maxBytes }: UnzipOptions): Uint8Array {
  const wanted = (name: string) => (member === undefined ? name.endsWith(".json") && !name.startsWith("__MACOSX/") : name === member);
  const seen: string[] = [];
  const chunks: Uint8Array[] = [];
  let length = 0;
  let state: "searching" | "reading" | "done" = "searching";

  const unzip = new Unzip((file) => {
    if (seen.length < 8) seen.push(file.name);
    if (state !== "searching" || !wanted(file.name)) return;
    state = "reading";
    file.ondata = (error, chunk, final) => {
      if (error) throw error;
      length += chunk.length;
      if (length > maxBytes) throw new WordBankError(`Expected at most ${maxBytes} bytes of JSON but found more in ${file.name}`);
      chunks.push(chunk);
      if (final) state = "done";
    };
    file.start();
  });
  unzip.register(UnzipInflate);
  // What the callback has made of the state, which the compiler cannot see.
  const now = (): "searching" | "reading" | "done" => state;
  try {
    for (let at = 0; at < zip.length && now() !== "done"; at += slice) unzip.push(zip.subarray(at, at + slice), at + slice >= zip.length);
  } catch (error) {
    if (error instanceof WordBankError) throw error;
    const why = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").slice(0, 120);
    throw new WordBankError(`Expected a zip but found a damaged one (${why})`);
  }
  if (now() === "searching")
    throw new WordBankError(`Expected ${member ?? "a .json file"} in the zip but found ${seen.length > 0 ? seen.join(", ") : "no member"}`);
  if (now() === "reading") throw new WordBankError("Expected a whole zip but found a truncated one");
  return joined(chunks, length);
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
