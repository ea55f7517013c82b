import type { VNode } from "preact";
import type { WriteSession } from "./write_session.ts";

interface Props {
  readonly session: WriteSession;
}

/** How the writing goes, or went. */
export function WriteStatus({ session }: Props): VNode {
  const words = session.words.value;
  const speed = session.speed.value;
  const futures = session.futures.value;
  const cut = words.filter(({ ended }) => !ended);
  return (
    <p class="small muted write-status">
      {futures && (
        <span>{futures.isDone ? `${futures.inks.length} other ends of “${words[futures.word]?.text}”` : "Drawing other ends"}</span>
      )}
      {!futures && session.isWriting.value && <span>Writing</span>}
      {!futures && !session.isWriting.value && speed && (
        <span>
          {Math.round(speed.tokensPerSecond)} tokens a second, the first after {speed.secondsToFirst.toFixed(2)} s
        </span>
      )}
      {cut.length > 0 && <span>{cut.map(({ text }) => `“${text}”`).join(", ")} never came to an end.</span>}
    </p>
  );
}
