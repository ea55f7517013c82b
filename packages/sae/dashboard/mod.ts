/**
 * Feature pages: what they show as plain data, and the Preact components that show it. The components build trees and touch no document, so
 * the command line's folder of pages and the browser app draw with the same code; whoever renders them owns the document.
 *
 * @module
 */
export {
  featureCallback,
  featureFileSource,
  featureFiles,
  formatFeatureFile,
  parseFeatureFile,
  sequencesPerFile,
} from "./feature_files.ts";
export type * from "./feature_pages.ts";
export { type TokenRow, tokenMeaning, tokenTable } from "./token_table.ts";
