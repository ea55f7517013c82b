import { crossEntropy } from "../../mod.ts";
import { epsilon, logSoftmaxBound, map, nd, oracle, seededIndices, seededValues } from "../../testing/float64.ts";
import { adjointness, agreement, type KernelCheck, upload, uploadIndices } from "./kernel_check.ts";

const CLASSES = 77;
const logits = seededValues(1, [50, CLASSES]);
const IGNORED = -100;
const targets = map(seededIndices(2, [50], CLASSES + 8), (t) => (t < CLASSES ? t : IGNORED));

/** Of the loss of each place. The running maximum rescales the sum at most once an element, with a few roundings each time. */
function placeBounds() {
  const bounds = logSoftmaxBound(logits).data;
  const rescaled = 4 * CLASSES * epsilon;
  return nd(
    targets.shape,
    targets.data.map((t, place) => (t === IGNORED ? 0 : bounds[place * CLASSES + t]! + rescaled)),
  );
}

/** The loss of a language model, with places left out, and its gradient. */
export const crossEntropyCheck: KernelCheck = {
  id: "cross-entropy",
  name: "cross-entropy",
  cases: [
    agreement({
      launch: (device) => crossEntropy(upload(logits, device), uploadIndices(targets, device), { ignoreIndex: IGNORED, reduction: "none" }),
      exact: () => oracle.crossEntropy(logits, targets, { ignoreIndex: IGNORED, reduction: "none" }),
      bound: placeBounds,
    }),
    adjointness({
      inputs: [logits],
      forward: (x) => crossEntropy(x!, uploadIndices(targets, x!.device), { ignoreIndex: IGNORED }),
      formula: (x) => oracle.crossEntropy(x!, targets, { ignoreIndex: IGNORED }),
    }),
  ],
};
