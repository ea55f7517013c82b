import { oracle, seededValues } from "../../testing/float64.ts";
import { agreement, type KernelCheck, upload } from "./kernel_check.ts";

const short = seededValues(1, [20, 33], "integers"); // with many ties: equal values keep their order
const long = seededValues(2, [2, 2100], "adversarial");

/** Sorting of short rows, of long ones by counting, and the greatest few. */
export const sortingCheck: KernelCheck = {
  id: "sorting",
  name: "sort, top-k",
  cases: [
    ...[short, long].map((x) =>
      agreement({ launch: (device) => upload(x, device).sort().indices, exact: () => oracle.sort(x).indices, bound: () => 0 }),
    ),
    agreement({ launch: (device) => upload(short, device).topk(5).values, exact: () => oracle.topk(short, 5).values, bound: () => 0 }),
    agreement({ launch: (device) => upload(long, device).topk(40).indices, exact: () => oracle.topk(long, 40).indices, bound: () => 0 }),
  ],
};
