import type { InkSegment } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { degreesOf, spelled } from "./segment_text.ts";

/** A column of numbers, one a segment. */
export interface SegmentColumn {
  readonly title: string;
  readonly values: readonly number[];
}

/** What the ink shows, as a table: for those who do not see it, and for exact numbers. */
export function SegmentTable({
  segments,
  columns,
}: {
  readonly segments: readonly InkSegment[];
  readonly columns: readonly SegmentColumn[];
}): VNode {
  return (
    <details class="segment-table">
      <summary>As a table</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <section class="table-scroll" tabIndex={0} aria-label="Segments of the ink">
        <table>
          <thead>
            <tr>
              {["segment", "direction", "length", "pen", ...columns.map(({ title }) => title)].map((title) => (
                <th scope="col">{title}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {segments.map((segment, i) => {
              const degrees = degreesOf(segment);
              return (
                <tr>
                  <th scope="row">{i + 1}</th>
                  <td>{segment.malformed ? "half a pair" : degrees === null ? "" : `${String(degrees).replace("-", "−")}°`}</td>
                  <td>{spelled(Math.hypot(segment.to[0] - segment.from[0], segment.to[1] - segment.from[1]))}</td>
                  <td>{segment.drawn ? "down" : "up"}</td>
                  {columns.map(({ values }) => (
                    <td>{values[i] ? spelled(values[i]) : ""}</td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </section>
    </details>
  );
}
