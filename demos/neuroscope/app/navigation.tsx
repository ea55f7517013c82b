import type { VNode } from "preact";
import { pages } from "./pages.ts";
import { linkTo, route } from "./route.ts";

interface Props {
  /** The page that is shown. */
  readonly current: string;
}

/** The pages, with the text and seed carried along: what is written on one page is what the others look at. */
export function Navigation({ current }: Props): VNode {
  const { params } = route.value;
  const shared = { text: params.get("text"), seed: params.get("seed") };
  return (
    <nav class="pages" aria-label="Pages">
      {pages.map(({ name, title, key }) => (
        <a key={name} href={linkTo(name, { params: shared })} aria-current={name === current ? "page" : undefined} aria-keyshortcuts={key}>
          {title}
        </a>
      ))}
    </nav>
  );
}
