/** Colours as the page's style has them now, for what is drawn on a canvas. */
export interface Theme {
  /** The colour of a run or series: `--c0` to `--c7`, around and around. */
  colour(index: number): string;
  /** The same, let through so much. */
  faint(index: number, opacity: number): string;
  readonly text: string;
  readonly grid: string;
}

/** Reads the colours that hold now. */
export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  const colour = (index: number): string => value(`--c${index % 8}`);
  return {
    colour,
    faint: (index, opacity) =>
      `${colour(index)}${Math.round(255 * opacity)
        .toString(16)
        .padStart(2, "0")}`,
    text: value("--muted"),
    grid: value("--grid"),
  };
}

/** Calls back when the colours change: with the system's setting, and around printing, which is on white paper of a width. */
export function onThemeChange(listener: () => void, options: { readonly printWidth: string }): void {
  const root = document.documentElement;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
  addEventListener("beforeprint", () => {
    root.dataset.theme = "light";
    document.body.style.width = options.printWidth; // or charts would stay as wide as the window
    listener();
  });
  addEventListener("afterprint", () => {
    delete root.dataset.theme;
    document.body.style.width = "";
    listener();
  });
}
