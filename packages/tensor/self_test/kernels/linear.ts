import { linear } from "../../mod.ts";
import { dotBound, elementBound, oracle, seededValues, zip } from "../../testing/float64.ts";
import { adjointness, agreement, type KernelCheck, upload } from "./kernel_check.ts";

const x = seededValues(1, [37, 64]);
const weight = oracle.mul(seededValues(2, [96, 64]), { shape: [], data: Float64Array.of(1 / 8) });
const bias = seededValues(3, [96]);
const residual = seededValues(4, [37, 96]);

/** The greatest slope of GELU. */
const STEEPEST = 1.13;

/** The error of x·Wᵀ + b, which a dot product of one more element bounds. */
const sumBound = () => dotBound(x.shape[1]! + 1, oracle.linear(oracle.abs(x), oracle.abs(weight), oracle.abs(bias)));

/** Linear layers with what is fused to them: bias, GELU, residual. */
export const linearCheck: KernelCheck = {
  id: "linear",
  name: "linear + GELU",
  cases: [
    agreement({
      launch: (device) => linear(upload(x, device), upload(weight, device), upload(bias, device), { residual: upload(residual, device) }),
      exact: () => oracle.add(oracle.linear(x, weight, bias), residual),
      bound: (exact) => zip(sumBound(), exact, (b, y) => b + 2 ** -23 * (1 + Math.abs(y))),
    }),
    agreement({
      launch: (device) => linear(upload(x, device), upload(weight, device), upload(bias, device), { activation: "gelu" }),
      exact: () => oracle.gelu(oracle.linear(x, weight, bias), { approximate: "tanh" }),
      bound: (exact) => zip(sumBound(), elementBound("gelu", oracle.linear(x, weight, bias), exact), (s, g) => STEEPEST * s + g),
    }),
    adjointness({
      inputs: [seededValues(5, [9, 12]), seededValues(6, [20, 12]), seededValues(7, [20])],
      forward: (input, w, b) => linear(input!, w!, b!, { activation: "gelu" }),
      formula: (input, w, b) => oracle.gelu(oracle.linear(input!, w!, b!), { approximate: "tanh" }),
    }),
  ],
};
