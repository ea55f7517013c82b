import type { WatchedStep } from "@cursive/tensor";
import { shortName } from "./kernel_rows.ts";

/** An event of the Trace Event Format, as chrome://tracing and Perfetto read it. Times are in microseconds. */
type TraceEvent =
  | {
      readonly ph: "M";
      readonly name: "process_name" | "thread_name";
      readonly pid: number;
      readonly tid?: number;
      readonly args: { readonly name: string };
    }
  | {
      readonly ph: "X";
      readonly name: string;
      readonly cat: "step" | "launch";
      readonly pid: number;
      readonly tid: number;
      readonly ts: number;
      readonly dur: number;
      readonly args: Readonly<Record<string, unknown>>;
    };

/** A trace as a JSON object. */
export interface ChromeTrace {
  readonly displayTimeUnit: "ms";
  readonly otherData: Readonly<Record<string, string>>;
  readonly traceEvents: readonly TraceEvent[];
}

const GPU = 1;
const TRACKS = { steps: 1, launches: 2 } as const;

/** Steps and their launches on two tracks, from the first step's start on, by the GPU's clock. `about` says whose they are. */
export function chromeTrace(steps: readonly WatchedStep[], about: Readonly<Record<string, string>>): ChromeTrace {
  const origin = steps[0]?.start ?? 0;
  const at = (start: number, milliseconds: number) => ({ pid: GPU, ts: 1000 * (start - origin), dur: 1000 * milliseconds });
  const named = (name: string, tid: number): TraceEvent => ({ ph: "M", name: "thread_name", pid: GPU, tid, args: { name } });
  return {
    displayTimeUnit: "ms",
    otherData: about,
    traceEvents: [
      { ph: "M", name: "process_name", pid: GPU, args: { name: `GPU: ${about.adapter ?? "unnamed"}` } },
      ...Object.entries(TRACKS).map(([name, tid]) => named(name, tid)),
      ...steps.flatMap(({ program, start, end, launches }): TraceEvent[] => [
        {
          ...{ ph: "X", name: `captured step ${program + 1}`, cat: "step", tid: TRACKS.steps, ...at(start, end - start) },
          args: { timed: launches.length > 0 ? "each launch" : "as a whole" },
        },
        ...launches.map(
          ({ shader, entry, kernel, workgroups, flops, bytes, ...launch }): TraceEvent => ({
            ...{ ph: "X", name: `${shader}.${entry}`, cat: "launch", tid: TRACKS.launches },
            ...at(start + launch.start, launch.milliseconds),
            args: { kernel: shortName(kernel), workgroups, ...(flops !== undefined && { flops }), ...(bytes !== undefined && { bytes }) },
          }),
        ),
      ]),
    ],
  };
}
