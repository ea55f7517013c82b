import type { ComponentType } from "preact";
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
export const pages: readonly Page[] = [{ name: "write", title: "Write", key: "1", component: WritePage }];

/** The page of that name, or the first. */
export function pageNamed(name: string): Page {
  return pages.find((page) => page.name === name) ?? pages[0]!;
}
