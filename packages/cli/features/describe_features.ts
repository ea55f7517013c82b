import { type FeatureOverview, rowsTold, type TokenRow } from "@cursive/sae/dashboard";
import { megabytes } from "../terminal/progress.ts";
import { table } from "../terminal/table.ts";
import type { FeatureFolderSize } from "./feature_folder.ts";

/** Features named in the terminal. */
const NAMED = 8;

/** What the list of features says on the whole, and the labelled ones that matter most. */
export function describeOverview({ about, features }: FeatureOverview): string {
  const { l0, fve, deltaCe, alive, dead, dense } = about.metrics;
  const count = (n: number): string => n.toLocaleString("en");
  const labelled = features.filter(({ label }) => label !== null);
  const best = labelled.toSorted((a, b) => (b.deltaCe ?? 0) - (a.deltaCe ?? 0) || b.density - a.density).slice(0, NAMED);
  const lines = [
    `rows     ${rowsTold(about, count)} in ${count(about.sequences)} sequences`,
    `sae      L0 ${number(l0)}, FVE ${number(fve)}, ΔCE ${deltaCe === null ? "not measured" : `${number(deltaCe)} nats`}`,
    `features ${alive} of ${about.dSae} alive, ${dead} dead, ${dense} on more than 10% of the rows; ${labelled.length} of ${features.length} labelled`,
  ];
  if (best.length > 0)
    lines.push(
      table([
        ["feature", "density", "max", ...(deltaCe === null ? [] : ["ΔCE"]), "label"],
        ...best.map(({ index, density, max, deltaCe: loss, label }) => [
          ...[String(index), `${number(100 * density)}%`, number(max), ...(loss === null ? [] : [loss.toExponential(1)]), label!],
        ]),
      ]),
    );
  return lines.join("\n");
}

/** Where the folder is, and how large. */
export function describeFolder(path: string, { files, bytes, largest, pages }: FeatureFolderSize): string {
  const each = pages.files > 0 ? `; ${kilobytes(pages.bytes / pages.files)} a feature` : "";
  return `wrote    ${path}: ${files.toLocaleString("en")} files, ${megabytes(bytes)}${each}; the largest is ${largest.file}, ${kilobytes(largest.bytes)}`;
}

/** The notebook's token table, decoded. */
export function describeTokens(feature: number, rows: readonly TokenRow[]): string {
  if (rows.length === 0) return `feature ${feature} never fires on these sequences`;
  const context = ({ before, meaning, after }: TokenRow): string => [...before, `[${meaning}]`, ...after].join("  ");
  return [
    `feature ${feature}`,
    table([
      ["rank", "activation", "sequence", "position", "token", "meaning", "pen", "letter", "text", "context"],
      ...rows.map((row) => [
        ...[String(row.rank), number(row.activation), String(row.sequence), String(row.position), String(row.token), row.meaning],
        ...[row.pen ?? "", row.letter ?? "", row.text, context(row)],
      ]),
    ]),
  ].join("\n");
}

function number(value: number | null): string {
  return value === null ? "not measured" : String(Number(value.toPrecision(3)));
}

function kilobytes(bytes: number): string {
  return `${Math.ceil(bytes / 1000).toLocaleString("en")} kB`;
}
