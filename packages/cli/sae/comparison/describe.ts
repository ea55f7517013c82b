import type { Estimate, SaeEvaluation, Stability } from "@cursive/sae";
import { table } from "../../terminal/table.ts";
import type { ReadWords } from "../read_words.ts";

/** One autoencoder among others. */
export interface ComparedSae {
  readonly name: string;
  /** What it was made and trained with, by dotted paths. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What it was measured on. */
  readonly words: ReadWords;
  readonly evaluation: SaeEvaluation;
  /** How much of its latents that fire each of the others has found again, in their order; null for itself, and where widths differ. */
  readonly foundIn: readonly (Stability | null)[];
}

/** Autoencoders side by side: what differs between them, then figures, a column each. */
export function describeComparison(compared: readonly ComparedSae[]): string {
  const row = (label: string, of: (sae: ComparedSae) => string): string[] => [label, ...compared.map(of)];
  const differences = differingKeys(compared.map(({ config }) => config)).map((key) => row(key, ({ config }) => shown(config[key])));
  const real = ({ evaluation }: ComparedSae): SaeEvaluation["effect"]["real"] => evaluation.effect.real;
  const recovered = (name: "zero" | "mean") => (sae: ComparedSae) => {
    const { ce, isIllConditioned } = real(sae).recovered[name];
    return isIllConditioned
      ? "destroys too little"
      : `${figure({ ...ce, value: 100 * ce.value, standardError: 100 * ce.standardError }, 1)} %`;
  };
  const rows = [
    row("", ({ name }) => name),
    ...differences,
    row("variance explained", ({ evaluation: { reconstruction } }) => figure(reconstruction.fve)),
    row("features a row (L0)", ({ evaluation: { reconstruction } }) => figure(reconstruction.l0, 2)),
    row("loss added, nats", (sae) => figure(real(sae).sae.deltaCe)),
    row("recovered, of zeros", recovered("zero")),
    row("recovered, of the mean", recovered("mean")),
    row("latents", ({ evaluation: { activity } }) => String(activity.density.length)),
    row("never fire", ({ evaluation: { activity } }) => String(activity.dead)),
    row("on more than 10% of rows", ({ evaluation: { activity } }) => String(activity.dense.over10Percent.latents)),
    ...compared.map((other, i) => row(`MMCS in ${other.name}`, (sae) => (sae === other ? "·" : shownMmcs(sae.foundIn[i] ?? null)))),
  ];
  const widths = compared.map((_, i) => Math.max(...rows.map((cells) => cells[i + 1]!.length)));
  return table(rows.map(([label, ...cells]) => [label!, ...cells.map((cell, i) => cell.padStart(widths[i]!))]));
}

/** The dotted paths at which not all have the same value, in the order of their first appearance. */
export function differingKeys(configs: readonly Readonly<Record<string, unknown>>[]): string[] {
  const keys = new Set(configs.flatMap((config) => Object.keys(config)));
  return [...keys].filter((key) => new Set(configs.map((config) => JSON.stringify(config[key]))).size > 1);
}

/** An object's values by dotted paths; lists are values. */
export function flattened(value: object, prefix = ""): Record<string, unknown> {
  const entries = Object.entries(value).flatMap(([key, child]) =>
    typeof child === "object" && child !== null && !Array.isArray(child)
      ? Object.entries(flattened(child, `${prefix}${key}.`))
      : [[`${prefix}${key}`, child] as const],
  );
  return Object.fromEntries(entries);
}

/** How much of an autoencoder another has found again. */
export function shownMmcs(found: Stability | null): string {
  if (!found) return "another width";
  return Number.isNaN(found.mmcs.aInB) ? "none fires" : found.mmcs.aInB.toFixed(3);
}

/** A value of a configuration in words. */
export function shown(value: unknown): string {
  return value === undefined ? "-" : typeof value === "string" ? value : JSON.stringify(value);
}

function figure({ value, standardError }: Estimate, digits = 3): string {
  return `${value.toFixed(digits)} ± ${Number.isNaN(standardError) ? "?" : standardError.toFixed(digits)}`;
}
