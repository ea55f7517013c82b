/**
 * Mean over `wanted` rows of the greatest cosine with any row of `found` (Sharkey et al. 2022, "Taking features out of superposition"): 1 if
 * every wanted direction was found. Rows of zeros have cosine 0 with everything. Both `[.., D]`, flat; `wanted` must not be empty.
 */
export function meanMaxCosine(wanted: ArrayLike<number>, found: ArrayLike<number>, { width }: { readonly width: number }): number {
  const [a, b] = [unitRows(wanted, width), unitRows(found, width)];
  let sum = 0;
  for (const row of a) {
    let best = -1;
    for (const other of b) {
      let dot = 0;
      for (let d = 0; d < width; d++) dot += row[d]! * other[d]!;
      best = Math.max(best, dot);
    }
    sum += best;
  }
  return sum / a.length;
}

function unitRows(matrix: ArrayLike<number>, width: number): Float64Array[] {
  return Array.from({ length: matrix.length / width }, (_, r) => {
    const row = Float64Array.from({ length: width }, (_, d) => matrix[r * width + d]!);
    const norm = Math.hypot(...row);
    return norm > 0 ? row.map((v) => v / norm) : row;
  });
}
