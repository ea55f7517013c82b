import { clock } from "../terminal/progress.ts";
import { type Finding, groupOf } from "./finding.ts";

/** The answer to one of the questions for which people run the doctor. */
export interface Answer {
  /** `unknown` where it was not checked. */
  readonly answer: "yes" | "no" | "unknown";
  readonly text: string;
  /** What to do first, where the answer is no. */
  readonly fix?: string;
}

/** The three answers. */
export interface Verdict {
  /** Does it start? */
  readonly starts: Answer;
  /** Does this GPU compute right? */
  readonly right: Answer;
  /** Is it as fast as this machine can be? */
  readonly fast: Answer;
}

/** Answers from what was found. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  return { starts: starts(findings), right: right(findings), fast: fast(findings) };
}

function starts(findings: readonly Finding[]): Answer {
  const failed = findings.filter((finding) => finding.status === "fail" && groupOf(finding) !== "arithmetic");
  if (failed.length > 0)
    return { answer: "no", text: failed.map(({ name, found }) => `${name}: ${found}`).join("; "), fix: failed[0]!.fix! };
  const adapter = dataOf(findings, "gpu.adapter");
  return { answer: "yes", text: `on ${adapter?.name ?? "this adapter"}` };
}

/** What a finding of the arithmetic carries that compares an op. */
interface Compared {
  readonly cases: number;
  readonly families: Readonly<Record<string, { readonly worst: number | null } | null>>;
}

function right(findings: readonly Finding[]): Answer {
  const arithmetic = findings.filter((finding) => groupOf(finding) === "arithmetic");
  const failed = arithmetic.filter(({ status }) => status === "fail");
  if (failed.length > 0)
    return { answer: "no", text: `wrong results in ${failed.map(({ name }) => name).join(", ")}`, fix: failed[0]!.fix! };
  const compared = arithmetic.flatMap(({ name, data }) => {
    if (!data || !("cases" in data)) return [];
    const { cases, families } = data as unknown as Compared;
    const outcomes = Object.entries(families).map(([family, outcome]) => ({ name, family, cases, worst: outcome?.worst ?? Number.NaN }));
    return outcomes.filter(({ worst }) => worst <= 1); // what is wrong and not a failure is not used
  });
  if (compared.length === 0) return { answer: "unknown", text: "not checked" };
  const total = compared.reduce((sum, { cases }) => sum + cases, 0);
  const worst = compared.reduce((a, b) => (b.worst > a.worst ? b : a));
  const same = arithmetic.some(({ id, status }) => id === "arithmetic.bits" && status === "ok") ? ", and the same bits again" : "";
  return {
    answer: "yes",
    text: `${total} comparisons with float64 within their bounds${same}; the worst at ${(100 * worst.worst).toFixed(0)} % of its bound (${worst.name}, ${worst.family})`,
  };
}

function fast(findings: readonly Finding[]): Answer {
  const training = dataOf(findings, "speed.training") as { milliseconds: number; steps: number; bound: string } | undefined;
  const adapter = dataOf(findings, "gpu.adapter") as { isSoftware?: boolean; idle?: readonly string[] } | undefined;
  if (!training || !adapter) return { answer: "unknown", text: "not timed" };
  const time = `a training step of tiny takes ${training.milliseconds.toFixed(training.milliseconds < 10 ? 1 : 0)} ms, all ${training.steps} of them ${clock((training.steps * training.milliseconds) / 1000)}`;
  if (adapter.idle?.length) return { answer: "no", text: `${time}, and a GPU by ${adapter.idle.join(" and ")} lies idle` };
  const isBusy = findings.some(({ id, status }) => id === "machine.processor" && status === "warn");
  if (isBusy && adapter.isSoftware) return { answer: "no", text: `${time}, but other programs keep the processor busy` };
  if (adapter.isSoftware) return { answer: "yes", text: `for a processor: ${time}; a GPU would be much faster` };
  return { answer: "yes", text: `${time}, bound by ${training.bound}` };
}

function dataOf(findings: readonly Finding[], id: string): Readonly<Record<string, unknown>> | undefined {
  return findings.find((finding) => finding.id === id && finding.status !== "fail")?.data;
}
