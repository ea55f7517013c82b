/** Something the person at the terminal can mend: shown as one line, exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The run was interrupted and everything is saved: exit code 130. */
export class Interrupted extends Error {
  override name = "Interrupted";
}
