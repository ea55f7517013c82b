import { lossOnInk, lossOnWords, lossWithoutEach, readAttention, writeWithout } from "./attention.ts";
import { engineStats, measureSpeed, selfTest } from "./diagnostics.ts";
import { scopeAblations, scopeInk, steerInk } from "./feature_calls.ts";
import { buildLiveFeatures, liveFeaturePage, liveFeatureSequence } from "./live_features.ts";
import { writeWords } from "./write.ts";

/**
 * What pages may ask of the worker, each `(bench, request, context) => Promise<answer>` in a file of its own. A call is two lines here: its type,
 * and itself.
 */
export interface Calls {
  readonly scopeInk: typeof scopeInk;
  readonly scopeAblations: typeof scopeAblations;
  readonly steerInk: typeof steerInk;
  readonly liveFeatures: typeof buildLiveFeatures;
  readonly liveFeaturePage: typeof liveFeaturePage;
  readonly liveFeatureSequence: typeof liveFeatureSequence;
  readonly write: typeof writeWords;
  readonly attentionWrite: typeof writeWithout;
  readonly attentionRead: typeof readAttention;
  readonly attentionLoss: typeof lossOnInk;
  readonly attentionWords: typeof lossOnWords;
  readonly attentionEach: typeof lossWithoutEach;
  readonly selfTest: typeof selfTest;
  readonly measureSpeed: typeof measureSpeed;
  readonly engineStats: typeof engineStats;
}

/** The one table of calls. */
export const calls: Calls = {
  scopeInk,
  scopeAblations,
  steerInk,
  liveFeatures: buildLiveFeatures,
  liveFeaturePage,
  liveFeatureSequence,
  write: writeWords,
  attentionWrite: writeWithout,
  attentionRead: readAttention,
  attentionLoss: lossOnInk,
  attentionWords: lossOnWords,
  attentionEach: lossWithoutEach,
  selfTest,
  measureSpeed,
  engineStats,
};
