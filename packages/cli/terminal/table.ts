/** Rows of text in columns as wide as they need to be; numbers stand to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const isNumber = (text: string): boolean => /^-?[\d.,]+[kM]?$/.test(text);
  const cell = (text: string, i: number): string => (isNumber(text) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!));
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
