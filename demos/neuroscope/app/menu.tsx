import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  /** What is always seen; a click opens the menu. */
  readonly summary: ComponentChildren;
  readonly class?: string;
  readonly summaryClass?: string;
  readonly bodyClass?: string;
  /** The menu's content; `close` closes it. */
  readonly children: (close: () => void) => ComponentChildren;
}

/** Something that opens below a button, and closes with Escape and a click elsewhere. */
export function Menu({ summary, class: own = "", summaryClass, bodyClass = "", children }: Props): VNode {
  const menu = useRef<HTMLDetailsElement>(null);
  const close = (): void => {
    if (menu.current) menu.current.open = false;
  };
  useEffect(() => {
    const onPointer = (event: PointerEvent): void => {
      if (menu.current?.open && !menu.current.contains(event.target as Node)) close();
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || !menu.current?.open || document.querySelector("dialog[open]")) return;
      close();
      menu.current.querySelector("summary")?.focus();
      event.preventDefault(); // so that the page's Escape is not meant
    };
    // Before the page's own keys are heard.
    document.addEventListener("pointerdown", onPointer, true);
    document.addEventListener("keydown", onKey, true);
    return () => {
      document.removeEventListener("pointerdown", onPointer, true);
      document.removeEventListener("keydown", onKey, true);
    };
  }, []);
  return (
    <details class={`menu ${own}`.trim()} ref={menu}>
      <summary class={summaryClass}>{summary}</summary>
      <div class={`menu-body ${bodyClass}`.trim()}>{children(close)}</div>
    </details>
  );
}
