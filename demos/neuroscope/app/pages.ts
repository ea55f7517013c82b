import type { ComponentType } from "preact";
import { AttentionPage } from "../pages/attention/attention_page.tsx";
import { CollectPage } from "../pages/collect/collect_page.tsx";
import { DiagnosticsPage } from "../pages/diagnostics/diagnostics_page.tsx";
import { FeaturesPage } from "../pages/features/features_page.tsx";
import { TrainPage } from "../pages/train/train_page.tsx";
import { WritePage } from "../pages/write/write_page.tsx";

/** A page of the app. */
export interface Page {
  /** In the address: `#/write`. */
  readonly name: string;
  readonly title: string;
  /** The key that leads there. */
  readonly key: string;
  readonly component: ComponentType;
}

/** The pages in their order; the first is where one starts. */
export const pages: readonly Page[] = [
  { name: "write", title: "Write", key: "1", component: WritePage },
  { name: "attention", title: "Attention", key: "2", component: AttentionPage },
  { name: "features", title: "Features", key: "3", component: FeaturesPage },
  { name: "train", title: "Train", key: "4", component: TrainPage },
  { name: "collect", title: "Collect", key: "5", component: CollectPage },
  { name: "diagnostics", title: "Diagnostics", key: "6", component: DiagnosticsPage },
];

/** The page of that name, or the first. */
export function pageNamed(name: string): Page {
  return pages.find((page) => page.name === name) ?? pages[0]!;
}
