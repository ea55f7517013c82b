/** A whole number with its thousands apart: `965 k` is not exact enough for parameters. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** Bytes as people say them: `966 kB`, `1.8 MB`, `1.07 GB`. */
export function shortBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  if (bytes < 999.5e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${Number((bytes / 1e9).toPrecision(3))} GB`;
}

/** A share as a percentage of two figures: `34 %`, `0.12 %`. */
export function percent(share: number): string {
  const value = 100 * share;
  if (value >= 9.95) return `${Math.round(value)} %`;
  if (value >= 0.095) return `${value.toFixed(1)} %`;
  return value > 0 ? "< 0.1 %" : "0 %";
}
