import type { VNode } from "preact";
import type { Fact } from "./report.ts";

/** Names and what was found, side by side. */
export function FactList({ facts }: { readonly facts: readonly Fact[] }): VNode {
  return (
    <dl class="facts">
      {facts.map(([name, found]) => (
        <>
          <dt>{name}</dt>
          <dd>{found}</dd>
        </>
      ))}
    </dl>
  );
}
