import { TensorError } from "@cursive/tensor";

/** Something that differs from row to row and that a latent may be tuned to; NaN where a row has no such thing. */
export type Factor = AngleFactor | ScaleFactor | ClassFactor;

/** An angle, in radians. */
export interface AngleFactor {
  readonly name: string;
  readonly kind: "angle";
  /** `[N]` */
  readonly values: ArrayLike<number>;
  /** Sectors of equal width from −π on. Default 24, of 15°. */
  readonly bins?: number;
}

/** A quantity. */
export interface ScaleFactor {
  readonly name: string;
  readonly kind: "scale";
  /** `[N]` */
  readonly values: ArrayLike<number>;
  /** Bins of about equally many rows; where values repeat there are fewer. Default 10. */
  readonly bins?: number;
}

/** One of a few classes. */
export interface ClassFactor {
  readonly name: string;
  readonly kind: "class";
  /** `[N]`: places in `labels`. */
  readonly values: ArrayLike<number>;
  readonly labels: readonly string[];
  /** How a preference for some of them is put into words. Default: the name, then the labels with "or" between. */
  readonly phrase?: (labels: readonly string[]) => string;
}

/** One bin of a factor. */
export interface FactorBin {
  /** Of a class; null for the others. */
  readonly label: string | null;
  /** The bin's ends, of angles and quantities: radians, or the quantity's unit. */
  readonly from: number;
  readonly to: number;
}

/** The code of rows that have no value. */
export const MISSING = 255;

/** A factor cut into bins. */
export interface BinnedFactor {
  readonly factor: Factor;
  readonly bins: readonly FactorBin[];
  /** `[N]`: which bin each row is in; {@link MISSING} for none. */
  readonly codes: Uint8Array;
  /** How many rows are in each bin. */
  readonly occupancy: readonly number[];
}

/** Cuts a factor into bins. @throws TensorError for a class without label, or more than 255 bins. */
export function binFactor(factor: Factor): BinnedFactor {
  const bins = binsOf(factor);
  if (bins.length > MISSING) throw new TensorError(`Expected at most ${MISSING} bins of '${factor.name}' but found ${bins.length}`);
  const codes = Uint8Array.from({ length: factor.values.length }, (_, row) => codeOf(factor.values[row]!, factor, bins));
  const occupancy = new Array<number>(bins.length).fill(0);
  for (const code of codes) if (code !== MISSING) occupancy[code]!++;
  return { factor, bins, codes, occupancy };
}

function binsOf(factor: Factor): FactorBin[] {
  if (factor.kind === "class") return factor.labels.map((label, i) => ({ label, from: i, to: i }));
  const edges = factor.kind === "angle" ? sectors(factor.bins ?? 24) : quantileEdges(factor.values, factor.bins ?? 10);
  return edges.slice(1).map((to, i) => ({ label: null, from: edges[i]!, to }));
}

function codeOf(value: number, factor: Factor, bins: readonly FactorBin[]): number {
  if (Number.isNaN(value)) return MISSING;
  if (factor.kind === "class") {
    if (bins[value] === undefined) throw new TensorError(`Expected a class of '${factor.name}' below ${bins.length} but found ${value}`);
    return value;
  }
  if (factor.kind === "angle") {
    const turns = (value + Math.PI) / (2 * Math.PI);
    return Math.min(bins.length - 1, Math.floor((turns - Math.floor(turns)) * bins.length));
  }
  let [low, high] = [0, bins.length - 1]; // the last bin that starts at or below the value
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (bins[middle]!.from <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

function sectors(count: number): number[] {
  return Array.from({ length: count + 1 }, (_, i) => -Math.PI + (2 * Math.PI * i) / count);
}

/** Edges between equally many values, each once; from the least to the greatest. */
function quantileEdges(values: ArrayLike<number>, count: number): number[] {
  const sorted = Float64Array.from(values)
    .filter((value) => !Number.isNaN(value))
    .sort();
  if (sorted.length === 0) return [0, 0];
  const starts = Array.from({ length: count }, (_, i) => sorted[Math.floor((i * sorted.length) / count)]!);
  return [...new Set(starts), sorted.at(-1)!];
}
