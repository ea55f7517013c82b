import type { Tensor } from "../../mod.ts";
import { type BoundedElement, elementBound, map, type Nd, oracle, seededValues } from "../../testing/float64.ts";
import { adjointness, agreement, type KernelCase, type KernelCheck, upload } from "./kernel_check.ts";

/** From about −20 to 20, where exponentials and tanh leave their easy range. */
const values = map(seededValues(1, [1021]), (v) => Math.fround(6 * v));
const positive = seededValues(2, [1021], "positive");

function elementCase(op: BoundedElement, about: { of: Nd; run: (x: Tensor) => Tensor; formula: (x: Nd) => Nd }): KernelCase {
  const { of, run, formula } = about;
  return agreement({
    launch: (device) => run(upload(of, device)),
    exact: () => formula(of),
    bound: (exact) => elementBound(op, of, exact),
  });
}

/** Functions of single elements, which lean on the driver's own exponentials and logarithms. */
export const elementwiseCheck: KernelCheck = {
  id: "elementwise",
  name: "GELU, exp, log, tanh",
  cases: [
    elementCase("gelu", { of: values, run: (x) => x.gelu(), formula: (x) => oracle.gelu(x) }),
    elementCase("gelu", {
      of: values,
      run: (x) => x.gelu({ approximate: "tanh" }),
      formula: (x) => oracle.gelu(x, { approximate: "tanh" }),
    }),
    elementCase("exp", { of: values, run: (x) => x.exp(), formula: oracle.exp }),
    elementCase("log", { of: positive, run: (x) => x.log(), formula: oracle.log }),
    elementCase("tanh", { of: values, run: (x) => x.tanh(), formula: oracle.tanh }),
    adjointness({ inputs: [seededValues(3, [300])], forward: (x) => x!.gelu(), formula: (x) => oracle.gelu(x!) }),
  ],
};
