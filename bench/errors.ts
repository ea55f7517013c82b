/** Something that the person at the terminal can mend: shown as one line, exit code 2. */
export class WrongUse extends Error {
  override name = "WrongUse";
}

/** An engine cannot do a case, for a reason worth reading; the bench goes on without it. */
export class Unable extends Error {
  override name = "Unable";
}

/** An error's message on one line of bounded length. */
export function oneLine(error: unknown, length = 160): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim();
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
