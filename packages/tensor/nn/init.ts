import { createRng, type Rng } from "../random/philox.ts";

let count = 0;

/** A random stream for the first values of a layer that was given none: another one each time, the same ones in every run. */
export function nextInitRng(): Rng {
  return createRng(0, "init", count++);
}
