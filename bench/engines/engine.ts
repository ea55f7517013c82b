import type { Case } from "../cases.ts";
import type { Door } from "./door.ts";

/** An engine in a process of its own. */
export interface Engine {
  /** Names and versions of packages that compute. */
  readonly versions: Readonly<Record<string, string>>;
  /** Makes a case ready. Nothing need be computed or compiled before the first step. */
  build(work: Case): Promise<Work>;
}

/** A case that an engine is ready to do, step by step. */
export interface Work {
  /** Makes ready for some steps in a row, which are then timed without it. */
  prepare?(): Promise<void>;
  /** Starts a step. */
  start(): Started | Promise<Started>;
  /** A number that tells whether a step computed the right thing, for cases whose steps give no loss. */
  check?(): Promise<number>;
}

/** A step under way. */
export interface Started {
  /** Waits until the step is done and gives its loss; NaN where there is none. */
  finished(): Promise<number>;
}

/** What an engine is opened with. */
export interface EngineOptions {
  readonly door: Door;
  readonly mode: string;
  /** Where the peers' packages are. */
  readonly peers: string;
}
