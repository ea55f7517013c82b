import type { FeatureOverview, FeatureSummary } from "../feature_pages.ts";

/** A feature's line in an overview, which may have some of a dictionary's features only; undefined for others. */
export function findFeature({ features }: Pick<FeatureOverview, "features">, index: number): FeatureSummary | undefined {
  return features[index]?.index === index ? features[index] : features.find((feature) => feature.index === index);
}
