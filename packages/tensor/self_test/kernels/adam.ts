import { AdamW, Parameter } from "../../mod.ts";
import { map, oracle, seededValues } from "../../testing/float64.ts";
import { agreement, type KernelCheck, upload } from "./kernel_check.ts";

const start = seededValues(1, [301]);
const STEPS = 4;
const gradients = Array.from({ length: STEPS }, (_, t) => seededValues(2 + t, [301]));
const options = { lr: 0.02, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0.1 } as const;
const MAX_NORM = 0.3;

/** Steps of AdamW with the gradient's norm clipped. */
export const adamCheck: KernelCheck = {
  id: "adam",
  name: "AdamW, clipped",
  cases: [
    agreement({
      launch(device) {
        const parameter = new Parameter(upload(start, device));
        const optimizer = new AdamW([parameter], { ...options, maxGradNorm: MAX_NORM });
        for (const gradient of gradients) {
          parameter.grad = upload(gradient, device);
          optimizer.step();
        }
        return parameter;
      },
      exact() {
        let state = oracle.adamStart(start);
        for (const gradient of gradients) {
          const [clipped] = oracle.clipGradNorm([gradient], MAX_NORM).gradients;
          state = oracle.adamStep(state, clipped!, { ...options, decoupled: true });
        }
        return state.parameter;
      },
      // About a dozen roundings a step at the size of the values; Adam's quotient is about 1 at most, and scaled by the rate.
      bound: (exact) => map(exact, (v) => 50 * 2 ** -24 * (1 + Math.abs(v))),
    }),
  ],
};
