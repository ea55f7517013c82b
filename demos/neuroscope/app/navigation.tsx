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
    const nav = bar.current;
    return nav ? keepInSight(nav) : undefined;
  }, [current]);
  return (
    <nav class="pages" aria-label="Pages" ref={bar} onScroll={({ currentTarget }) => markEnds(currentTarget)}>
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

/** Keeps the page that is shown in the middle of a bar that is wider than the screen, also when letters get their own font. @returns Ends it. */
function keepInSight(nav: HTMLElement): () => void {
  const centre = (): void => {
    const link = nav.querySelector<HTMLElement>("[aria-current]");
    if (link) nav.scrollLeft = link.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
    markEnds(nav);
  };
  const observer = new ResizeObserver(centre);
  observer.observe(nav);
  for (const link of nav.children) observer.observe(link);
  return () => observer.disconnect();
}

/** Says for the style sheet on which sides there are pages beyond the edge. */
function markEnds(nav: HTMLElement): void {
  const left = nav.scrollLeft > 4;
  const right = nav.scrollLeft < nav.scrollWidth - nav.clientWidth - 4;
  nav.dataset.more = left ? (right ? "both" : "start") : right ? "end" : "";
}
