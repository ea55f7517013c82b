import { adamCheck } from "./adam.ts";
import { attentionCheck, attentionGradientCheck } from "./attention.ts";
import { conversionCheck } from "./conversion.ts";
import { crossEntropyCheck } from "./cross_entropy.ts";
import { elementwiseCheck } from "./elementwise.ts";
import { indexingCheck } from "./indexing.ts";
import type { KernelCheck } from "./kernel_check.ts";
import { layerNormCheck } from "./layer_norm.ts";
import { linearCheck } from "./linear.ts";
import { matmulCheck } from "./matmul.ts";
import { normalCheck, uniformCheck } from "./random.ts";
import { reductionsCheck } from "./reductions.ts";
import { softmaxCheck } from "./softmax.ts";
import { sortingCheck } from "./sorting.ts";

/** Every op that is compared with float64, in the order in which people read them. */
export const kernelChecks: readonly KernelCheck[] = [
  matmulCheck,
  linearCheck,
  attentionCheck,
  attentionGradientCheck,
  softmaxCheck,
  crossEntropyCheck,
  layerNormCheck,
  elementwiseCheck,
  reductionsCheck,
  indexingCheck,
  adamCheck,
  uniformCheck,
  normalCheck,
  sortingCheck,
  conversionCheck,
];
