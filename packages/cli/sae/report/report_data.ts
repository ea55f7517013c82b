import type { Spread, StepCurves } from "../../report/report_data.ts";

/** What the page of an autoencoders' run draws, as JSON in the page: written by `read_sae_run.ts`, read by `report/page/autoencoders.ts`. */
export interface SaeReportData {
  /** Names of the autoencoders; one alone is called as its run. */
  readonly members: readonly string[];
  readonly axes: Pick<StepCurves, "count" | "bucket" | "step" | "seconds">;
  /** Activations a step. */
  readonly rowsPerStep: number;
  readonly charts: readonly SaeChart[];
}

/** A chart and its curves. */
export interface SaeChart {
  readonly id: string;
  readonly heading: string;
  /** Whether it is of losses, which may be seen on a logarithmic scale. */
  readonly isLoss: boolean;
  readonly isRobust: boolean;
  readonly curves: readonly {
    /** Which autoencoder, by position; the run as a whole is the first. */
    readonly member: number;
    readonly label: string;
    readonly colour: number;
    readonly spread: Spread;
  }[];
}
