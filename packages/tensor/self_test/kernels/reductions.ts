import { dotBound, map, oracle, seededValues } from "../../testing/float64.ts";
import { agreement, type KernelCheck, upload } from "./kernel_check.ts";

const matrix = seededValues(1, [45, 130]);
const long = seededValues(2, [50_000]);
const whole = seededValues(3, [64, 50], "integers"); // sums without a rounding, maxima that tie

/** Sums along rows, columns and everything, and the greatest elements. */
export const reductionsCheck: KernelCheck = {
  id: "reductions",
  name: "sums and maxima",
  cases: [
    agreement({
      launch: (device) => upload(long, device).sum(),
      exact: () => oracle.sum(long),
      bound: () => dotBound(long.data.length, oracle.sum(oracle.abs(long))),
    }),
    ...[0, 1].map((axis) =>
      agreement({
        launch: (device) => upload(matrix, device).sum({ axis }),
        exact: () => oracle.sum(matrix, { axis }),
        bound: () => dotBound(matrix.shape[axis]!, oracle.sum(oracle.abs(matrix), { axis })),
      }),
    ),
    agreement({ launch: (device) => upload(whole, device).sum({ axis: 1 }), exact: () => oracle.sum(whole, { axis: 1 }), bound: () => 0 }),
    agreement({
      launch: (device) => upload(whole, device).argmax({ axis: 1 }),
      exact: () => oracle.argmax(whole, { axis: 1 }),
      bound: () => 0,
    }),
    agreement({
      launch: (device) => upload(matrix, device).square().mean({ axis: 1 }),
      exact: () => oracle.mean(oracle.square(matrix), { axis: 1 }),
      bound: () => map(dotBound(131, oracle.sum(oracle.square(matrix), { axis: 1 })), (b) => (2 * b) / 130),
    }),
  ],
};
