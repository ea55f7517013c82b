/**
 * How a check came out. `note` is worth knowing and needs no action; `warn` has a fix and lets everything run; `fail` keeps something that
 * people need from working; `skip` was not checked, and says why.
 */
export type Status = (typeof statuses)[number];

/** See {@link Status}. */
export const statuses = ["ok", "note", "warn", "fail", "skip"] as const;

/** What the report is divided into, in its order. */
export const groups = ["machine", "gpu", "arithmetic", "speed", "disk"] as const;

/** See {@link groups}. */
export type Group = (typeof groups)[number];

/** What one check found. */
export interface Finding {
  /** Stable, for programs: `arithmetic.matmul`. */
  readonly id: `${Group}.${string}`;
  /** For people. */
  readonly name: string;
  readonly status: Status;
  /** What was found, in a line. */
  readonly found: string;
  /** One thing to do about a warning or a failure: a command to paste wherever there is one. */
  readonly fix?: string;
  /** The numbers behind it. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The group that a finding belongs to. */
export function groupOf({ id }: Finding): Group {
  return id.slice(0, id.indexOf(".")) as Group;
}
