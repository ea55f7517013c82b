import { geomspace, linspace } from "./numpy.ts";

/** How pen movements are cut into tokens: the lower edges of the direction and length bins. */
export interface StrokeBins {
  /** Lower edges of the direction bins, in radians, increasing, from -π. */
  readonly theta: Float64Array;
  /** Lower edges of the length bins, in canvas heights, increasing, from 0. Used twice: pen down, then pen up. */
  readonly radius: Float64Array;
  /** Whether a token of its own separates words. Without it a pen-up gap does. */
  readonly wordToken: boolean;
}

/** Named {@linkcode StrokeBins}. */
export type StrokeBinsName = "polar-151" | "polar-220-word" | "polar-73";

/**
 * - `polar-151` (455 tokens): the cursive transformer's, in the version this project follows. The default.
 * - `polar-220-word` (525 tokens): that of its later version, with finer directions and a WORD token.
 * - `polar-73` (171 tokens): steps of 5° and 11 %, for small models on ink that was simplified to few, long segments. Decode to centres.
 */
export const strokeBins: Readonly<Record<StrokeBinsName, StrokeBins>> = {
  "polar-151": {
    theta: linspace(-Math.PI, Math.PI, 151),
    radius: Float64Array.of(0, ...linspace(0.0001, 0.05, 50), ...geomspace(0.051, 2.25, 101).subarray(0, 100)),
    wordToken: false,
  },
  "polar-220-word": {
    theta: linspace(-Math.PI, Math.PI, 220),
    radius: Float64Array.of(0, ...linspace(0.0001, 0.06, 30), ...geomspace(0.06001, 0.9, 120)),
    wordToken: true,
  },
  "polar-73": {
    theta: linspace(-Math.PI, Math.PI, 73),
    radius: Float64Array.of(0, ...geomspace(0.008, 0.8, 47)),
    wordToken: false,
  },
};
