import { styleText } from "node:util";
import { inBounds, type Outcome } from "@cursive/tensor/self_test";
import type { Finding, Group, Status } from "./finding.ts";
import type { Report } from "./report.ts";
import type { Answer } from "./verdict.ts";

/** Where the text goes. */
export interface Paper {
  /** Characters in a line. */
  readonly width: number;
  readonly colours: boolean;
}

type Style = Parameters<typeof styleText>[0];

const marks: Readonly<Record<Status, { readonly text: string; readonly style: Style }>> = {
  ok: { text: "ok", style: "green" },
  note: { text: "note", style: "cyan" },
  warn: { text: "warn", style: "yellow" },
  fail: { text: "FAIL", style: ["red", "bold"] },
  skip: { text: "skip", style: "dim" },
};

const titles: Readonly<Record<Group, string>> = {
  machine: "Machine",
  gpu: "GPU",
  arithmetic: "Arithmetic",
  speed: "Speed",
  disk: "Disk",
};

/** What the numbers of the arithmetic are. */
const legend = ": the worst error against float64 in units of its bound (up to 1 is right)";

const NAME = 20;
const FOUND = 2 + 4 + 2 + NAME + 2;
const QUESTION = 24;

/** The lines of a group: what was found, and under it what to do about it. */
export function renderGroup(group: Group, findings: readonly Finding[], paper: Paper): string {
  const families = familiesOf(findings);
  const header = families.length > 0 ? [" ".repeat(FOUND) + paint(row(families), "dim", paper)] : [];
  return [
    paint(titles[group], "bold", paper) + (families.length > 0 ? legend : ""),
    ...header,
    ...findings.flatMap((finding) => renderFinding(finding, { families, paper })),
    "",
  ].join("\n");
}

function renderFinding(finding: Finding, { families, paper }: { families: readonly string[]; paper: Paper }): string[] {
  const { text, style } = marks[finding.status];
  const errors = errorsOf(finding);
  const isTabled = errors !== undefined && finding.status === "ok"; // what is wrong has more to say than fits a table
  const found = isTabled
    ? [row(families.map((family) => (errors[family] ? inBounds(errors[family]) : "-")))]
    : wrap(finding.found, paper.width - FOUND);
  const head = `  ${paint(text.padEnd(4), style, paper)}  ${finding.name.padEnd(NAME)}  ${found[0]}`;
  const indent = " ".repeat(FOUND);
  return [head, ...[...found.slice(1), ...renderFix(finding, paper, FOUND)].map((line) => indent + line)];
}

/** A command stands on a line of its own, however long, to be copied; what it is good for stands below. */
function renderFix({ fix }: { readonly fix?: string }, paper: Paper, indent: number): string[] {
  if (fix === undefined) return [];
  const [command = "", remark] = fix.split(/\s+(?=# )/);
  return [`fix: ${paint(command, "bold", paper)}`, ...(remark === undefined ? [] : wrap(remark, paper.width - indent))];
}

type Errors = Readonly<Record<string, Outcome | null>>;

/** The errors by family of kernels that a finding of the arithmetic carries. */
function errorsOf({ data }: Finding): Errors | undefined {
  return data && "cases" in data ? (data.families as Errors) : undefined;
}

function familiesOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.flatMap((finding) => Object.keys(errorsOf(finding) ?? {})))];
}

function row(cells: readonly string[]): string {
  return cells.map((cell) => cell.padEnd(10)).join("").trimEnd(); // biome-ignore format: one line
}

/** What it comes to: three answers, and how many checks came out how. */
export function renderVerdict({ verdict, counts, seconds }: Report, paper: Paper): string {
  const answers: readonly (readonly [string, Answer])[] = [
    ["Does it start?", verdict.starts],
    ["Does it compute right?", verdict.right],
    ["Is it fast?", verdict.fast],
  ];
  const lines = answers.flatMap(([question, { answer, text, ...rest }]) => {
    const word = { yes: "yes", no: "NO", unknown: "not known" }[answer];
    const style = { yes: "green", no: ["red", "bold"], unknown: "dim" }[answer] as Style;
    const [first = "", ...more] = wrap(`${word}${answer === "yes" ? "," : ":"} ${text}`, paper.width - QUESTION);
    const coloured = paint(word, style, paper) + first.slice(word.length);
    return [
      paint(question.padEnd(QUESTION), "bold", paper) + coloured,
      ...[...more, ...renderFix(rest, paper, QUESTION)].map((line) => " ".repeat(QUESTION) + line),
    ];
  });
  const { ok, note, warn, fail, skip } = counts;
  const plural = (count: number, name: string): string => `${count} ${name}${count === 1 ? "" : "s"}`;
  const parts = [
    `${ok} ok`,
    ...(note ? [plural(note, "note")] : []),
    plural(warn, "warning"),
    plural(fail, "failure"),
    ...(skip ? [`${skip} skipped`] : []),
  ];
  return [...lines, "", `${parts.join(", ")}; ${seconds.toFixed(1)} s`].join("\n");
}

function paint(text: string, style: Style, { colours }: Paper): string {
  return colours ? styleText(style, text, { validateStream: false }) : text;
}

/** Breaks a text at spaces; what is longer than a line without any stands alone. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/(?<=\S)\s(?=\S)/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= Math.max(20, width)) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => line.trimEnd());
}
