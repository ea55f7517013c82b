import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { pages } from "./pages.ts";
import { linkBackTo } from "./route.ts";

interface Props {
  /** The page that is shown. */
  readonly current: string;
}

/** The pages, each as one left it, with the text and seed of this one: what is written on one page is what the others look at. */
export function Navigation({ current }: Props): VNode {
  const bar = useRef<HTMLElement>(null);
  useEffect(() => {
    // on a phone the bar is wider than the screen
    bar.current?.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  }, [current]);
  return (
    <nav class="pages" aria-label="Pages" ref={bar}>
      {pages.map(({ name, title, key }) => (
        <a
          key={name}
          href={linkBackTo(name)}
          aria-current={name === current ? "page" : undefined}
          aria-keyshortcuts={key}
          onClick={(event) => {
            // Its address is not followed with every change on the page, so it would lead back by some of them.
            if (name === current && !event.ctrlKey && !event.metaKey && !event.shiftKey) event.preventDefault();
          }}
        >
          {title}
        </a>
      ))}
    </nav>
  );
}
