import { type Signal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** A key of a page, and what it does. */
export interface Shortcut {
  /** `KeyboardEvent.key` in lower case, with `shift+` in front where Shift has to be held: `r`, `?`, `arrowleft`, `shift+arrowleft`, ` `. */
  readonly key: string;
  /** For the help: `Write again with another seed`. Leave it out for a second key of the same thing. */
  readonly does?: string;
  readonly run: () => void;
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
      keys: latest.current.map((shortcut, i) => ({ ...shortcut, run: () => latest.current[i]?.run() })),
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
    const plain = event.key.toLowerCase();
    const names = event.shiftKey ? [`shift+${plain}`, plain === event.key && plain.length === 1 ? plain : ""] : [plain];
    for (const { keys } of [...shortcuts.peek()].reverse()) {
      const found = keys.find(({ key }) => names.includes(key));
      if (!found) continue;
      event.preventDefault();
      found.run();
      return;
    }
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

/** Whether the control that has the focus uses the key itself. */
function needsKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLInputElement && !["range", "checkbox", "radio", "button", "file"].includes(target.type))
    return key !== "Escape";
  if (target instanceof HTMLInputElement && target.type !== "checkbox") return /^(Arrow|Page|Home|End)/.test(key);
  return (key === " " || key === "Enter") && target.matches("button, a, summary, input, [role=button]");
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
