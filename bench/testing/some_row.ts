import type { Row } from "../rows.ts";

/** A row with these fields; the others are those of a captured SAE step. */
export function someRow(fields: Partial<Row> = {}): Row {
  return {
    case: "sae:4096x512",
    engine: "cursive",
    mode: "captured",
    label: "cursive captured",
    ms: 50,
    min: 45,
    max: 60,
    cpuMs: 90,
    repeats: 7,
    ratio: 1,
    gflops: null,
    dispatches: 39,
    submits: 1,
    buffers: 0,
    bindGroups: 0,
    hostMicroseconds: 125,
    startColdMilliseconds: null,
    startWarmMilliseconds: null,
    result: 62.05,
    adapter: "fake",
    versions: {},
    note: null,
    ...fields,
  };
}
