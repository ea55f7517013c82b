import type { ComponentType } from "preact";
import { FIRST_PAGE } from "./route.ts";

/** A page of the app. */
export interface Page {
  /** In the address: `#/write`. */
  readonly name: string;
  readonly title: string;
  /** The key that leads there. */
  readonly key: string;
  /** Fetches the page's own code: each page is a chunk by itself, so that one loads what one looks at. */
  readonly load: () => Promise<ComponentType>;
}

/** The pages in their order; the first is where one starts. */
export const pages: readonly Page[] = [
  { name: FIRST_PAGE, title: "Write", key: "1", load: async () => (await import("../pages/write/write_page.tsx")).WritePage },
  {
    name: "attention",
    title: "Attention",
    key: "2",
    load: async () => (await import("../pages/attention/attention_page.tsx")).AttentionPage,
  },
  { name: "features", title: "Features", key: "3", load: async () => (await import("../pages/features/features_page.tsx")).FeaturesPage },
  { name: "train", title: "Train", key: "4", load: async () => (await import("../pages/train/train_page.tsx")).TrainPage },
  { name: "collect", title: "Collect", key: "5", load: async () => (await import("../pages/collect/collect_page.tsx")).CollectPage },
  {
    name: "diagnostics",
    title: "Diagnostics",
    key: "6",
    load: async () => (await import("../pages/diagnostics/diagnostics_page.tsx")).DiagnosticsPage,
  },
];

/** The page of that name, or the first. */
export function pageNamed(name: string): Page {
  return pages.find((page) => page.name === name) ?? pages[0]!;
}
