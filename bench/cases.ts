import { nearest } from "@cursive/tensor";
import { WrongUse } from "./errors.ts";

/** A training step of the handwriting transformer: B sequences of T stroke tokens. */
export interface GptCase {
  readonly kind: "gpt";
  readonly name: string;
  readonly batch: number;
  readonly length: number;
}

/** A training step of a sparse autoencoder: rows of {@link SAE_WIDTH} numbers into so many features. */
export interface SaeCase {
  readonly kind: "sae";
  readonly name: string;
  readonly rows: number;
  readonly features: number;
}

/** A product `[m, k] · [k, n]`. */
export interface MatmulCase {
  readonly kind: "matmul";
  readonly name: string;
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

/** One more token of B texts that are written side by side, after so many others. */
export interface TokenCase {
  readonly kind: "token";
  readonly name: string;
  readonly texts: number;
  readonly length: number;
}

/** B texts written side by side, from nothing to so many tokens. */
export interface WriteCase {
  readonly kind: "write";
  readonly name: string;
  readonly texts: number;
  readonly length: number;
}

/** Work that every engine can do. */
export type SharedCase = GptCase | SaeCase | MatmulCase;

/** Work that engines are timed on. */
export type Case = SharedCase | TokenCase | WriteCase;

/** What is measured where nothing else is asked for. */
export const DEFAULT_CASES: readonly string[] = [
  "gpt:4x250",
  "gpt:4x1000",
  "sae:4096x512",
  "sae:4096x4096",
  "matmul:1024",
  "matmul:8000x64x256",
  "token:1x1000",
  "token:8x1000",
];

/** What `--quick` measures: every kind once, at its smallest. */
export const QUICK_CASES: readonly string[] = ["gpt:4x250", "sae:4096x512", "matmul:1024"];

const FORMS = {
  gpt: "gpt:BATCHxLENGTH",
  sae: "sae:ROWSxFEATURES",
  matmul: "matmul:N or matmul:MxKxN",
  token: "token:TEXTSxLENGTH",
  write: "write:TEXTSxLENGTH",
} as const;

/**
 * Reads a case's name, such as `"gpt:4x250"`. Any sizes will do, not only those that are measured by default.
 * @throws WrongUse for a name that is none, with the one most like it.
 */
export function parseCase(name: string): Case {
  const [, kind, sizes = ""] = /^(\w+):(\d+(?:x\d+)*)$/.exec(name) ?? [];
  const numbers = sizes.split("x").map(Number);
  const [a = 0, b = a, c = a] = numbers;
  if (numbers.every((n) => n >= 1 && n <= 1e6)) {
    if (kind === "gpt" && numbers.length === 2) return { kind, name, batch: a, length: b };
    if (kind === "sae" && numbers.length === 2) return { kind, name, rows: a, features: b };
    if ((kind === "token" || kind === "write") && numbers.length === 2) return { kind, name, texts: a, length: b };
    if (kind === "matmul" && (numbers.length === 1 || numbers.length === 3)) return { kind, name, m: a, k: b, n: c };
  }
  throw new WrongUse(
    `Expected a case, ${Object.values(FORMS).join(", ")}, but found ${JSON.stringify(name)}: did you mean ${nearest(name, DEFAULT_CASES, 1)[0]}?`,
  );
}

/** What a case is, for people. */
export function describeCase(work: Case): string {
  const n = (value: number): string => value.toLocaleString("en-US");
  if (work.kind === "gpt") return `training step, ${n(work.batch)} × ${n(work.length)} tokens (4 layers, width 64, 4 heads)`;
  if (work.kind === "sae") return `training step, ${n(work.rows)} rows of 64 into ${n(work.features)} features`;
  if (work.kind === "token")
    return `one more token of ${n(work.texts)} ${work.texts === 1 ? "text" : "texts"} after ${n(work.length)} others`;
  if (work.kind === "write")
    return `${n(work.texts)} ${work.texts === 1 ? "text" : "texts"} of ${n(work.length)} tokens, written from nothing`;
  return `product [${n(work.m)} × ${n(work.k)}] · [${n(work.k)} × ${n(work.n)}]`;
}

/**
 * Whether an engine in one of its ways can do a case: only ours writes, by kept keys and values or computing everything anew; only the model has
 * attention to fuse, and a product alone leaves nothing to compile.
 */
export function suits({ kind }: Case, { mode }: { readonly mode: string }): boolean {
  const writes = mode === "cached" || mode === "recomputed";
  if (kind === "token" || kind === "write") return writes;
  return !writes && (mode !== "sdpa" || kind === "gpt") && (mode !== "compile" || kind !== "matmul");
}

/** Floating-point operations of a case where they are beyond dispute, else undefined. */
export function operations(work: Case): number | undefined {
  return work.kind === "matmul" ? 2 * work.m * work.k * work.n : undefined;
}
