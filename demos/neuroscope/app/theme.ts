import { type Signal, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "neuroscope-theme";
const themes: readonly Theme[] = ["system", "light", "dark"];

/** The theme that was chosen; it outlives the tab. */
export const theme: Signal<Theme> = signal(stored());

/** Puts the theme onto the page. */
export function applyTheme(): void {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}

/** Chooses the next of system, light and dark. */
export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length]!;
  applyTheme();
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // Where storage is shut off, the choice lasts as long as the tab.
  }
}

function stored(): Theme {
  try {
    const found = localStorage.getItem(KEY) as Theme;
    return themes.includes(found) ? found : "system";
  } catch {
    return "system";
  }
}
