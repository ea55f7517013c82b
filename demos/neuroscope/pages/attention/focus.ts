/** What is looked at on the page: a letter of the text, a movement of the pen, or nothing. */
export type Focus = { readonly kind: "letter" | "segment"; readonly index: number } | null;

/** `l2` or `s40`, as links have it. */
export function focusId(focus: Focus): string {
  return focus ? `${focus.kind === "letter" ? "l" : "s"}${focus.index}` : "";
}

/** What a link's `l2` or `s40` means, if there is such a letter or movement. */
export function focusNamed(id: string, sizes: { readonly letters: number; readonly segments: number }): Focus {
  const [, kind, digits] = /^([ls])(\d+)$/.exec(id) ?? [];
  const focus: Focus = kind ? { kind: kind === "l" ? "letter" : "segment", index: Number(digits) } : null;
  return focus && focus.index < (focus.kind === "letter" ? sizes.letters : sizes.segments) ? focus : null;
}
