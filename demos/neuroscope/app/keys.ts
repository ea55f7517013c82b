import { type Signal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** A key of a page, and what it does. */
export interface Shortcut {
  /** `KeyboardEvent.key` in lower case, with `shift+` in front where Shift has to be held: `r`, `?`, `arrowleft`, `shift+arrowleft`, ` `. */
  readonly key: string;
  /** For the help: `Write again with another seed`. Leave it out for a second key of the same thing. */
  readonly does?: string;
  /** Leave it out for a key that another component hears, so that the help lists it. */
  readonly run?: () => void;
}

const KEY = "neuroscope-letter-keys";

/**
 * Whether letters, digits and signs do something without a modifier. Who speaks to the machine, or rests a hand on the keys, turns them off in
 * the help (WCAG 2.1.4); arrows, Space, Enter and Escape stay.
 */
export const hasLetterKeys: Signal<boolean> = signal(stored());

/** Turns them on or off; the choice outlives the tab. */
export function setLetterKeys(isOn: boolean): void {
  hasLetterKeys.value = isOn;
  try {
    localStorage.setItem(KEY, isOn ? "on" : "off");
  } catch {
    // Where storage is shut off, the choice lasts as long as the tab.
  }
}

function stored(): boolean {
  try {
    return globalThis.localStorage?.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

/** Groups of shortcuts that hold now, the latest last. */
export const shortcuts: Signal<readonly { readonly title: string; readonly keys: readonly Shortcut[] }[]> = signal([]);

/**
 * Has keys do something as long as the component is there. They are not heard while somebody types, nor while a dialog is open; keys that a
 * focused control needs itself (arrows on a slider, space on a button) are left to it.
 *
 * @example
 * ```tsx
 * useShortcuts("Write", [{ key: "r", does: "Write again with another seed", run: again }]);
 * ```
 */
export function useShortcuts(title: string, keys: readonly Shortcut[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  const names = keys.map(({ key }) => key).join("\n");
  useEffect(() => {
    const group = {
      title,
      keys: latest.current.map((shortcut, i) => ({ ...shortcut, ...(shortcut.run && { run: () => latest.current[i]?.run?.() }) })),
    };
    shortcuts.value = [...shortcuts.peek(), group];
    return () => {
      shortcuts.value = shortcuts.peek().filter((other) => other !== group);
    };
  }, [title, names]);
}

/** Listens for shortcuts. @returns What stops it. */
export function listenForShortcuts(): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]") || needsKey(event.target, event.key)) return;
    if (!hasLetterKeys.peek() && event.key.length === 1 && event.key !== " ") return;
    const plain = event.key.toLowerCase();
    const names = event.shiftKey ? [`shift+${plain}`, plain === event.key && plain.length === 1 ? plain : ""] : [plain];
    for (const { keys } of [...shortcuts.peek()].reverse()) {
      const run = keys.find((shortcut) => shortcut.run && names.includes(shortcut.key))?.run;
      if (!run) continue;
      event.preventDefault();
      run();
      return;
    }
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

/** Whether the control that has the focus uses the key itself. */
function needsKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (scrollsBy(target, key)) return true;
  if (target.isContentEditable || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLTextAreaElement) return key !== "Escape";
  if (target instanceof HTMLInputElement && !["range", "checkbox", "radio", "button", "file"].includes(target.type))
    return key !== "Escape";
  if (target instanceof HTMLInputElement && target.type !== "checkbox") return /^(Arrow|Page|Home|End)/.test(key);
  return (key === " " || key === "Enter") && target.matches("button, a, summary, input, [role=button]");
}

/** Whether it is a region that the key scrolls. */
function scrollsBy(target: HTMLElement, key: string): boolean {
  const isAcross = key === "ArrowLeft" || key === "ArrowRight";
  if (!isAcross && !/^(Arrow|Page|Home|End)/.test(key) && key !== " ") return false;
  const { overflowX, overflowY } = getComputedStyle(target);
  const can = (overflow: string): boolean => overflow === "auto" || overflow === "scroll";
  return isAcross ? can(overflowX) && target.scrollWidth > target.clientWidth : can(overflowY) && target.scrollHeight > target.clientHeight;
}

/** How a key is shown. */
export function keyLabel(key: string): string {
  const names: Record<string, string> = {
    " ": "Space",
    arrowleft: "←",
    arrowright: "→",
    arrowup: "↑",
    arrowdown: "↓",
    escape: "Esc",
    enter: "Enter",
  };
  return key
    .split("+")
    .map((part) => names[part] ?? (part === "shift" ? "Shift" : part))
    .join(" ");
}
