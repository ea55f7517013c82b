import { logSoftmaxBound, oracle, seededValues, softmaxBound } from "../../testing/float64.ts";
import { adjointness, agreement, type KernelCheck, upload } from "./kernel_check.ts";

const rows = seededValues(1, [37, 101]);
const sharp = seededValues(2, [24, 40], "adversarial"); // ties, zeros of both signs, hugely negative rows
const columns = seededValues(3, [30, 9]);

/** Softmax along rows and columns, its logarithm, and its gradient. */
export const softmaxCheck: KernelCheck = {
  id: "softmax",
  name: "softmax",
  cases: [
    ...[rows, sharp].map((x) =>
      agreement({
        launch: (device) => upload(x, device).softmax({ axis: -1 }),
        exact: () => oracle.softmax(x),
        bound: () => softmaxBound(x),
      }),
    ),
    agreement({
      launch: (device) => upload(columns, device).softmax({ axis: 0 }),
      exact: () => oracle.softmax(columns, { axis: 0 }),
      bound: () => softmaxBound(columns, { axis: 0 }),
    }),
    agreement({
      launch: (device) => upload(rows, device).logSoftmax({ axis: -1 }),
      exact: () => oracle.logSoftmax(rows),
      bound: () => logSoftmaxBound(rows),
    }),
    adjointness({ inputs: [columns], forward: (x) => x!.softmax({ axis: -1 }), formula: (x) => oracle.softmax(x!) }),
  ],
};
