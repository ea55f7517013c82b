import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { LONGEST_TEXT, type TextPlan } from "./text_plan.ts";

interface Props {
  readonly text: string;
  /** Without a model nothing is known of its characters. */
  readonly plan: TextPlan | undefined;
  readonly onInput: (text: string) => void;
  /** Enter. */
  readonly onWrite: () => void;
}

/** Where the text is typed: what the model cannot write is underlined, and said. */
export function TextBox({ text, plan, onInput, onWrite }: Props): VNode {
  const backdrop = useRef<HTMLDivElement>(null);
  return (
    <div class="text-box">
      <div class="text-head">
        <label for="write-text">Text to write</label>
        <span id="write-count">
          {text.length} of {LONGEST_TEXT}
          <span class="visually-hidden"> characters</span>
        </span>
      </div>
      <div class="write-field">
        <div class="backdrop" ref={backdrop} aria-hidden="true">
          {plan ? marked(text, plan.marks) : text}
        </div>
        <textarea
          id="write-text"
          rows={1}
          maxLength={LONGEST_TEXT}
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
          aria-describedby="write-notes write-count"
          value={text}
          onInput={(event) => onInput(event.currentTarget.value)}
          onScroll={(event) => {
            if (backdrop.current) backdrop.current.scrollTop = event.currentTarget.scrollTop;
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.isComposing) return;
            event.preventDefault();
            onWrite();
          }}
        />
      </div>
      <div id="write-notes" aria-live="polite">
        {plan && plan.notes.length > 0 && <p class="note small">{plan.notes.join(" ")}</p>}
      </div>
    </div>
  );
}

/** The text with its underlines; everything else of it is invisible. */
function marked(text: string, marks: TextPlan["marks"]): (string | VNode)[] {
  const parts: (string | VNode)[] = [];
  let at = 0;
  for (const [from, to] of marks) {
    parts.push(text.slice(at, from), <mark key={from}>{text.slice(from, to)}</mark>);
    at = to;
  }
  return [...parts, text.slice(at)];
}
