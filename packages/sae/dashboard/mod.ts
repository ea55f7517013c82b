/**
 * Feature pages: what they show as plain data, and the Preact components that show it. The components build trees and touch no document, so
 * the command line's folder of pages and the browser app draw with the same code; whoever renders them owns the document.
 *
 * @module
 */
export { type BuildPhase, buildFeaturePages, type FeaturePagesOptions } from "./build_feature_pages.ts";
export { type FeatureCollectionOptions, featureCollection } from "./feature_collection.ts";
export {
  featureCallback,
  featureFileSource,
  featureFiles,
  formatFeatureFile,
  parseFeatureFile,
  sequencesPerFile,
} from "./feature_files.ts";
export { type ExampleChoice, type FeaturePageParts, FeaturePages } from "./feature_page_source.ts";
export type * from "./feature_pages.ts";
export { MemoryFiles } from "./memory_files.ts";
export { rowsTold } from "./rows_told.ts";
export { type TokenRow, tokenMeaning, tokenTable } from "./token_table.ts";
