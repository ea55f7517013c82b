/**
 * Preact components that show features of sparse autoencoders on ink, for a page or an app that has a `FeatureSource`. Their looks are in
 * `view.css` beside this file; a host changes them by its custom properties, sets `color-scheme`, and keeps a `FeatureViewState` in its
 * address.
 *
 * @module
 */
export { AboutFeatures } from "./about_features.tsx";
export { type Bar, BarChart, type BarChartProps } from "./charts/bar_chart.tsx";
export { BarTable, type BarTableProps, type BarTableRow } from "./charts/bar_table.tsx";
export { ChartFigure, type ChartFigureProps, type ChartTable } from "./charts/chart_figure.tsx";
export { RoseChart, type RoseChartProps, type RoseSector } from "./charts/rose_chart.tsx";
export { Sparkline } from "./charts/sparkline.tsx";
export { DensityBrush, type DensityBrushProps } from "./density_brush.tsx";
export { ExportLabels } from "./export_labels.tsx";
export { FeatureBrowser, type FeatureBrowserProps, LoadedBrowser, type LoadedBrowserProps } from "./feature_browser.tsx";
export { FeatureList, type FeatureListProps } from "./feature_list.tsx";
export { FeaturePageLoader, type FeaturePageLoaderProps, FeaturePageView, type FeaturePageViewProps } from "./feature_page.tsx";
export { Gallery, type GalleryProps } from "./gallery.tsx";
export { InkCard, type InkCardProps } from "./ink_card.tsx";
export { createLabelStore, type LabelStore } from "./label_store.ts";
export {
  defaultListView,
  featureStates,
  isFiltering,
  type ListView,
  listFeatures,
  type SortKey,
  sortKeys,
  stepInList,
} from "./list_view.ts";
export { themedColour } from "./themed.ts";
export { tokenText } from "./token_text.ts";
export {
  createFeatureView,
  type FeatureViewState,
  featureViewParams,
  featureViewQuery,
  type InkView,
  readFeatureViewQuery,
} from "./view_state.ts";
