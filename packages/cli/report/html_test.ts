import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Html, html, scriptJson } from "./html.ts";

describe("html", () => {
  it("lets no text become markup, and loses none of it", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("<", ">", "&", '"', "'", "/", "a", "script", "-", "!") }), (text) => {
        const { text: markup } = html`<p title="${text}">${[text, html`<b>${text}</b>`]}</p>`;
        const [, title, inner, bold] = /^<p title="([^<>"]*)">([^<>]*)<b>([^<>]*)<\/b><\/p>$/.exec(markup)!;
        const decode = (escaped: string): string =>
          escaped
            .replaceAll("&lt;", "<")
            .replaceAll("&gt;", ">")
            .replaceAll("&quot;", '"')
            .replaceAll("&#39;", "'")
            .replaceAll("&amp;", "&");
        expect([title, inner, bold].map((part) => decode(part!))).toEqual([text, text, text]);
      }),
    );
  });

  it("leaves out what is not there and takes markup as it is", () => {
    expect(html`${null}${undefined}${false}${0}${""}${new Html("<i>")}`.text).toBe("0<i>");
  });
});

describe("scriptJson()", () => {
  it("means the same to a JSON parser and has nothing that ends a script", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom("</script>", "<!--", "\u2028", "]]>"), (value, bad) => {
        const { text } = scriptJson([value, bad, { [bad]: bad }]);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify([value, bad, { [bad]: bad }])));
        expect(text).not.toMatch(/[<\u2028\u2029]/);
      }),
    );
  });
});
