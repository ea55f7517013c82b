import { writeWords } from "./write.ts";

/**
 * What pages may ask of the worker, each `(bench, request, context) => Promise<answer>` in a file of its own. A call is two lines here: its type,
 * and itself.
 */
export interface Calls {
  readonly write: typeof writeWords;
}

/** The one table of calls. */
export const calls: Calls = {
  write: writeWords,
};
