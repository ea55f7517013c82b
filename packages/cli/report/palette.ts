/**
 * Colours of curves, on light and on dark paper: told apart with any of the common kinds of colour blindness, and at least three times as
 * dark, or as light, as the paper. Their hues are near those of Okabe and Ito's "Color Universal Design" (2008), blue and vermilion first, which
 * differ most; the exact values were searched for so that the test beside this file holds.
 */
export const palette: { readonly light: readonly string[]; readonly dark: readonly string[] } = {
  light: ["#0751b5", "#e15e00", "#009da2", "#a02772", "#76620f", "#6b95d4", "#4b1d80", "#4c4b4a"],
  dark: ["#519ef9", "#fb8307", "#79f5bd", "#e4b7fd", "#f2e24c", "#cde5ff", "#8e6eff", "#97a0a4"],
};

/** What curves stand on. */
export const paper = { light: "#ffffff", dark: "#171a1f" } as const;

/** The palette as properties of the page: light, dark where the reader's system is, and light again on printed paper. */
export function paletteProperties(): string {
  const properties = (theme: "light" | "dark"): string => palette[theme].map((colour, i) => `--c${i}:${colour}`).join(";");
  return `:root{${properties("light")}}@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${properties("dark")}}}`;
}
