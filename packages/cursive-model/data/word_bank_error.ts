/** A word bank that cannot be read. The message says in one line what was expected, what was found, and where. */
export class WordBankError extends Error {
  override readonly name: string = "WordBankError";
}
