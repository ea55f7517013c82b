import { embedding } from "../../mod.ts";
import { map, type Nd, nd, oracle, roundingBound, seededIndices, seededValues, zip } from "../../testing/float64.ts";
import { agreement, type KernelCheck, upload, uploadIndices } from "./kernel_check.ts";

const table = seededValues(1, [61, 12]);
const drawn = seededIndices(2, [400], 61);
/** One token stands for a third of the batch, as padding does. */
const tokens = map(drawn, (t) => (t % 3 === 0 ? 7 : t));
const gradient = seededValues(3, [400, 12]);
/** The row of the table that each element of the gradient goes to. */
const places: Nd = nd([400, 12], Array.from({ length: 400 * 12 }, (_, i) => tokens.data[Math.floor(i / 12)]!)); // biome-ignore format: one line
const zeros = nd(table.shape);

/** A bound on sums of elements in any order: how many there are, times their sizes. */
function scatterBound(x: Nd, index: Nd, source: Nd): Nd {
  const counts = oracle.scatterAdd(zeros, index, map(source, () => 1), { axis: 0 }); // biome-ignore format: one line
  const sizes = oracle.scatterAdd(oracle.abs(x), index, oracle.abs(source), { axis: 0 });
  return zip(counts, sizes, (count, size) => (count === 0 ? 0 : roundingBound(count, nd([], [size])).data[0]!));
}

/** Embeddings and their gradient, gathering and scattering. */
export const indexingCheck: KernelCheck = {
  id: "indexing",
  name: "embedding, scatter",
  cases: [
    agreement({
      launch: (device) => embedding(uploadIndices(tokens, device), upload(table, device)),
      exact: () => oracle.embedding(tokens, table),
      bound: () => 0,
    }),
    agreement({
      launch(device) {
        const leaf = upload(table, device, { requiresGrad: true });
        embedding(uploadIndices(tokens, device), leaf).backward({ gradient: upload(gradient, device) });
        return leaf.grad!;
      },
      exact: () => oracle.scatterAdd(zeros, places, gradient, { axis: 0 }),
      bound: () => scatterBound(zeros, places, gradient),
    }),
    agreement({
      launch: (device) => upload(table, device).scatterAdd(uploadIndices(places, device), upload(gradient, device), { axis: 0 }),
      exact: () => oracle.scatterAdd(table, places, gradient, { axis: 0 }),
      bound: () => scatterBound(table, places, gradient),
    }),
    agreement({
      launch: (device) => upload(table, device).gather(uploadIndices(places, device), { axis: 0 }),
      exact: () => oracle.gather(table, places, { axis: 0 }),
      bound: () => 0,
    }),
  ],
};
