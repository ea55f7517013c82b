import type { ComponentChildren, VNode } from "preact";
import { spelled } from "../format.ts";

/** A line of a {@link BarTable}. */
export interface BarTableRow {
  readonly key: string | number;
  readonly name: ComponentChildren;
  readonly value: number;
  /** Further cells. */
  readonly more?: readonly (string | number)[];
}

/** What {@link BarTable} draws. */
export interface BarTableProps {
  readonly caption: string;
  /** Of names, values and what follows. */
  readonly head: readonly [name: string, value: string, ...more: string[]];
  readonly rows: readonly BarTableRow[];
  /** How values are written. */
  readonly format?: (value: number) => string;
  /** The value of the longest bar; default the greatest. */
  readonly max?: number;
}

/** A table whose values are drawn as bars too; those below 0 go to the left and are striped. */
export function BarTable({ caption, head, rows, format = spelled, max }: BarTableProps): VNode {
  const most = max ?? rows.reduce((greatest, { value }) => Math.max(greatest, Math.abs(value)), 0);
  const isSigned = rows.some(({ value }) => value < 0);
  return (
    <table class="fv-bar-table">
      <caption class="fv-hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">{head[0]}</th>
          <th scope="col" colSpan={2}>
            {head[1]}
          </th>
          {head.slice(2).map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, name, value, more = [] }) => (
          <tr key={key}>
            <th scope="row">{name}</th>
            <td class={isSigned ? "fv-bar-cell fv-bar-signed" : "fv-bar-cell"} aria-hidden="true">
              <span
                class={value < 0 ? "fv-below" : "fv-above"}
                style={{ width: `${most > 0 ? ((isSigned ? 50 : 100) * Math.abs(value)) / most : 0}%` }}
              />
            </td>
            <td>{format(value)}</td>
            {more.map((cell, k) => (
              <td key={head[k + 2]}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
