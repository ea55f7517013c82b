import { Generator, philoxKey, philoxNormals, philoxUniforms, rand, randn } from "../../mod.ts";
import { map, nd } from "../../testing/float64.ts";
import { agreement, type KernelCheck } from "./kernel_check.ts";

const COUNT = 5003;

/** The counter-based generator: bit for bit the host's. */
export const uniformCheck: KernelCheck = {
  id: "uniform",
  name: "random, uniform",
  cases: [
    agreement({
      launch: (device) => rand([COUNT], { generator: new Generator(7, "doctor"), device }),
      exact: () => nd([COUNT], philoxUniforms(philoxKey(7, "doctor"), COUNT)),
      bound: () => 0,
    }),
  ],
};

/** Normal numbers made of it. */
export const normalCheck: KernelCheck = {
  id: "normal",
  name: "random, normal",
  cases: [
    agreement({
      launch: (device) => randn([COUNT], { generator: new Generator(8), device }),
      exact: () => nd([COUNT], philoxNormals(philoxKey(8), COUNT)),
      // The radius is within a few units in the last place, cosine and sine within 2⁻²³ of theirs.
      bound: (exact) => map(exact, (v) => 2 ** -21 + 2 ** -21 * Math.abs(v)),
    }),
  ],
};
