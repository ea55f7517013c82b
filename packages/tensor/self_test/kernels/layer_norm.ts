import { layerNorm } from "../../mod.ts";
import { layerNormBound, map, oracle, seededValues } from "../../testing/float64.ts";
import { adjointness, agreement, type KernelCheck, upload } from "./kernel_check.ts";

const x = seededValues(1, [41, 65]);
const far = map(seededValues(2, [20, 48]), (v) => Math.fround(v + 300)); // where E[x²] − E[x]² would cancel
const still = map(seededValues(8, [12, 40]), (v) => Math.fround(v / 500)); // whose variance is less than eps
const [weight, bias] = [seededValues(3, [65]), seededValues(4, [65])];

/** Layer normalisation, also of rows far from 0, and its gradients of input, weight and bias. */
export const layerNormCheck: KernelCheck = {
  id: "layer-norm",
  name: "layer norm",
  cases: [
    agreement({
      launch: (device) => layerNorm(upload(x, device), upload(weight, device), upload(bias, device)),
      exact: () => oracle.layerNorm(x, weight, bias),
      bound: () => layerNormBound(x, weight, bias),
    }),
    ...[far, still].map((rows) =>
      agreement({
        launch: (device) => layerNorm(upload(rows, device)),
        exact: () => oracle.layerNorm(rows),
        bound: () => layerNormBound(rows),
      }),
    ),
    adjointness({
      inputs: [seededValues(5, [13, 24]), seededValues(6, [24]), seededValues(7, [24])],
      forward: (input, w, b) => layerNorm(input!, w!, b!),
      formula: (input, w, b) => oracle.layerNorm(input!, w!, b!),
    }),
  ],
};
