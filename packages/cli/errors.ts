/** Something that the person at the terminal can mend: shown as one line, exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A run could not go on; what it had saved is kept. Shown as one line, exit code 1. */
export class RunFailed extends Error {
  override name = "RunFailed";
}

/** The run was interrupted and everything is saved. */
export class Interrupted extends Error {
  override name = "Interrupted";
  /** 128 and the signal's number: 130 for Ctrl-C. */
  readonly exitCode: number;

  constructor(message: string, options: { readonly exitCode: number }) {
    super(message);
    this.exitCode = options.exitCode;
  }
}

/** A command has said all there is to say, and only its exit code is left. */
export class ExitWith extends Error {
  override name = "ExitWith";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** An error's message on one line. */
export function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim();
}

/** The code of a system call's error, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** A failure on one line; of the disk's, what it means rather than which call failed. */
export function explainFailure(error: unknown): string {
  const meaning = {
    ENOSPC: "room on the disk but found it full",
    EDQUOT: "room on the disk but found the quota used up",
    EROFS: "a disk that can be written but found it read-only",
  };
  const code = systemCode(error) as keyof typeof meaning;
  return code in meaning ? `Expected ${meaning[code]} (${oneLine(error)})` : oneLine(error);
}
