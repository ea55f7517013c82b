import { escaped } from "@cursive/cursive-model";

/** Markup that is safe to stand in a page as it is. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may be filled into {@link html}: text is escaped, nothing is left out, lists are joined. */
export type Fill = Html | string | number | null | undefined | false | readonly Fill[];

/**
 * Markup with values in it. Whatever is not markup already is escaped, so that no name or text can become markup.
 *
 * @example
 * ```ts
 * html`<p>${"</script>"}</p>`.text // "<p>&lt;/script&gt;</p>"
 * ```
 */
export function html(parts: TemplateStringsArray, ...fills: readonly Fill[]): Html {
  return new Html(parts.map((part, i) => part + (i < fills.length ? textOf(fills[i]) : "")).join(""));
}

function textOf(fill: Fill): string {
  if (fill instanceof Html) return fill.text;
  if (Array.isArray(fill)) return fill.map(textOf).join("");
  return fill === null || fill === undefined || fill === false ? "" : escaped(String(fill));
}

/** JSON as it may stand in a script element, which only `</script>` or `<!--` could end early or confuse. */
export function scriptJson(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029"));
}
