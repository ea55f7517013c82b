import { type Signal, signal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { hasLetterKeys, keyLabel, setLetterKeys, shortcuts } from "./keys.ts";

/** Whether the help is shown. */
export const isHelpOpen: Signal<boolean> = signal(false);

/** What the app is, and the keys that hold on this page. */
export function HelpDialog(): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = isHelpOpen.value;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  const close = (): void => {
    isHelpOpen.value = false;
  };
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={close}>
      <h2 id="help-title">Neuroscope</h2>
      <p>
        A small transformer writes by hand, one pen movement after another, and every part of it is laid open here. All of it is computed in
        this tab; nothing that you type or draw leaves it.
      </p>
      {[...shortcuts.value].reverse().map(({ title, keys }) => (
        <section key={title}>
          <h3>{title}</h3>
          <dl class="keys">
            {keys.map(({ key, does }) =>
              does ? (
                <div key={key}>
                  <dt>
                    <kbd>{keyLabel(key)}</kbd>
                  </dt>
                  <dd>{does}</dd>
                </div>
              ) : null,
            )}
          </dl>
        </section>
      ))}
      <label class="check">
        <input type="checkbox" checked={hasLetterKeys.value} onChange={(event) => setLetterKeys(event.currentTarget.checked)} />
        Letters, digits and signs are keys of the page, without a modifier
      </label>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
