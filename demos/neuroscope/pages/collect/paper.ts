/** The paper, in canvas heights around the baseline: what is seen of it, and the lines that letters keep to in the built-in cursive. */
export const paper = { left: -0.08, top: -0.36, width: 1.7, height: 0.6 } as const;

/** Heights of letters over the baseline: of tall ones, of small ones, of those that hang below. */
export const lines = { ascender: -0.255, small: -0.127, baseline: 0, descender: 0.165 } as const;

/** SVG draws widths below one unit badly in some browsers: its units are thousandths. */
export const UNITS = 1000;
