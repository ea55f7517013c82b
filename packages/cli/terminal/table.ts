/** Rows of text in columns as wide as they need to be; numbers, and dashes for none, stand to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const isNumber = (text: string): boolean => /^(-?[\d.,]+[kM]?|–)$/.test(text);
  const cell = (text: string, i: number): string => (isNumber(text) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!));
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

/** Short texts in columns, read down and then across, as many as fit a width. */
export function grid(texts: readonly string[], { width = 110 }: { readonly width?: number } = {}): string {
  const cell = Math.max(1, ...texts.map((text) => text.length)) + 3;
  const rows = Math.ceil(texts.length / Math.max(1, Math.floor((width + 3) / cell)));
  const line = (row: number): string =>
    texts
      .filter((_, i) => i % rows === row)
      .map((text) => text.padEnd(cell))
      .join("")
      .trimEnd();
  return Array.from({ length: rows }, (_, row) => line(row)).join("\n");
}
