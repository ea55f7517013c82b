import { type Finding, type Status, statuses } from "./finding.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/**
 * Everything that the doctor found, as `--json` prints it. `version` rises when a field changes its meaning or goes; new fields, and new
 * findings, may come without.
 */
export interface Report {
  readonly schema: "cursive-doctor";
  readonly version: 1;
  /** When, in ISO 8601. */
  readonly started: string;
  readonly seconds: number;
  /** 1 if anything failed, else 0. */
  readonly exitCode: 0 | 1;
  readonly counts: Readonly<Record<Status, number>>;
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
}

/** Puts a report together. */
export function reportOf(findings: readonly Finding[], about: { readonly started: Date; readonly seconds: number }): Report {
  const count = (status: Status): number => findings.filter((finding) => finding.status === status).length;
  const counts = Object.fromEntries(statuses.map((status) => [status, count(status)])) as Record<Status, number>;
  return {
    schema: "cursive-doctor",
    version: 1,
    started: about.started.toISOString(),
    seconds: Math.round(10 * about.seconds) / 10,
    exitCode: counts.fail > 0 ? 1 : 0,
    counts,
    verdict: verdictOf(findings),
    findings,
  };
}
