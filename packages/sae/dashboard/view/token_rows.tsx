import type { VNode } from "preact";
import type { FeatureOverview, FeaturePage, FeatureSource } from "../feature_pages.ts";
import { tokenTable } from "../token_table.ts";
import { spelled, visibleCharacter } from "./format.ts";
import { useLoaded } from "./use_loaded.ts";

/** What {@link TokenRows} shows. */
export interface TokenRowsProps {
  readonly page: FeaturePage;
  readonly source: FeatureSource;
  readonly overview: FeatureOverview;
}

/** The strongest firings as a table, as the notebook printed them, with ids decoded. */
export function TokenRows({ page, source, overview }: TokenRowsProps): VNode {
  const { value: rows, error } = useLoaded(page, source, (of) => tokenTable(of, { source, tokenizer: overview.tokenizer }));
  if (error) return <p class="fv-problem">The sequences cannot be read: {error}</p>;
  if (!rows) return <p class="fv-note">Reading…</p>;
  const most = rows[0]?.activation ?? 1;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <section class="fv-scroll-table" tabIndex={0} aria-label="Strongest tokens">
      <table class="fv-tokens">
        <thead>
          <tr>
            {["№", "activation", "token", "id", "pen", "letter", "word", "sequence", "place", "before", "after"].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.rank}>
              <td>{row.rank}</td>
              <td class="fv-bar-behind" style={{ "--fv-share": row.activation / most }}>
                {spelled(row.activation)}
              </td>
              <th scope="row">{row.meaning}</th>
              <td>{row.token}</td>
              <td>{row.pen ?? "–"}</td>
              <td>{row.letter === null ? "–" : visibleCharacter(row.letter)}</td>
              <td>{row.text}</td>
              <td>{row.sequence}</td>
              <td>{row.position}</td>
              <td class="fv-context">{row.before.join(", ")}</td>
              <td class="fv-context">{row.after.join(", ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
