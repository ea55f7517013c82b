/** What a report's page draws, as JSON in the page: written by `readRunForReport`, read by `page/`. */
export interface ReportData {
  readonly runs: readonly RunCurves[];
}

/** A run's curves and the sheets that it drew. */
export interface RunCurves {
  readonly name: string;
  /** Index into the palette. */
  readonly colour: number;
  /** Places in the sequences of a step, padding included. */
  readonly tokensPerStep: number;
  readonly steps: StepCurves;
  readonly evaluations: EvaluationCurves;
  /** In the order of their steps. Runs that drew the same sheet share its index into {@link ReportSheets}. */
  readonly samples: readonly { readonly step: number; readonly sheet: number }[];
}

/** Curves of a run's steps: lists of equal length, one place a bucket of steps, which holds a single step in short runs. */
export interface StepCurves {
  /** Steps in the run's metrics. */
  readonly count: number;
  /** Steps in a bucket. */
  readonly bucket: number;
  /** The last step of each bucket. */
  readonly step: readonly number[];
  /** Time trained until then: the steps' own times added up, without pauses and evaluations. */
  readonly seconds: readonly number[];
  readonly loss: Spread;
  readonly lr: readonly (number | null)[];
  readonly milliseconds: Spread;
}

/** A bucket's mean with its least and greatest value; null where no value was finite. Without `min` and `max` where a bucket is one step. */
export interface Spread {
  readonly mean: readonly (number | null)[];
  readonly min?: readonly (number | null)[];
  readonly max?: readonly (number | null)[];
}

/** Curves of a run's evaluations. */
export interface EvaluationCurves {
  readonly step: readonly number[];
  readonly seconds: readonly number[];
  readonly testLoss: readonly (number | null)[];
  readonly testLossReal: readonly (number | null)[];
}

/** Sample sheets, each once. They stand in the page compressed, apart from the curves. */
export type ReportSheets = readonly ReportSheet[];

/** A sheet by its words, or as a whole SVG document. */
export type ReportSheet = { readonly words: readonly SheetWord[] } | { readonly svg: string };

/** A word of a sheet. */
export interface SheetWord {
  readonly caption: string;
  /** SVG elements in canvas heights, y downward, 0 on the baseline and where the pen began. Ink is `currentColor`. */
  readonly body: string;
  /** Left, top, right, bottom of the ink. */
  readonly box: readonly [number, number, number, number];
}
