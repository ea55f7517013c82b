import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";

/** The numbers of a chart, for those who would rather read them. */
export interface ChartTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** A chart with its name, what is to say about it, and its numbers. */
export interface ChartFigureProps {
  readonly title: string;
  readonly note?: string | null;
  readonly table: ChartTable;
  readonly children: ComponentChildren;
}

/** The frame around a chart. Its numbers are a table that opens below, so that nothing is known by colour or pointer alone. */
export function ChartFigure({ title, note, table, children }: ChartFigureProps): VNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <figure class="fv-chart">
      <figcaption>
        <span class="fv-chart-title">{title}</span>
        {note && <span class="fv-note">{note}</span>}
      </figcaption>
      {children}
      <details class="fv-numbers" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>
          Numbers<span class="fv-hidden"> of {title}</span>
        </summary>
        {isOpen && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
          <section class="fv-scroll-table" tabIndex={0} aria-label={`numbers of ${title}`}>
            <table>
              <thead>
                <tr>
                  {table.head.map((name) => (
                    <th key={name} scope="col">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {table.rows.map((row, i) => (
                  <tr key={i}>
                    {row.map((cell, k) => (
                      <td key={table.head[k]}>{cell}</td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
      </details>
    </figure>
  );
}
