/** The paper, in canvas heights around the baseline: what is seen of it. */
export interface Paper {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Papers for a desk and for a phone, where a wide one would leave no height to write in; each with the letters it has room for. */
export const papers: { readonly wide: Paper & { readonly letters: number }; readonly narrow: Paper & { readonly letters: number } } = {
  wide: { left: -0.08, top: -0.36, width: 1.7, height: 0.6, letters: 9 },
  narrow: { left: -0.06, top: -0.36, width: 1.05, height: 0.58, letters: 5 },
};

/** Heights of letters over the baseline: of tall ones, of small ones, of those that hang below. */
export const lines = { ascender: -0.255, small: -0.127, baseline: 0, descender: 0.165 } as const;

/** SVG draws widths below one unit badly in some browsers: its units are thousandths. */
export const UNITS = 1000;
