import type { Transformer } from "../transformer.ts";
import { type RunSizes, siteBytes, siteShape } from "./sites.ts";

/** A hook, for people to look at: `console.table(model.hookTable())`. */
export interface HookTableRow {
  /** TransformerLens's name; where it has none, the PyTorch original's path. */
  readonly name: string;
  /** Other names for it: the path first, then others. */
  readonly aliases: readonly string[];
  /** The shape in letters, such as `[B, H, T, S]`. */
  readonly axes: string;
  /** The shape in numbers. */
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Whether a run caches it without being asked for it by name. */
  readonly isDefault: boolean;
}

/** {@link Transformer.hookTable}. */
export function hookTable(model: Transformer, sizes: Partial<RunSizes>): HookTableRow[] {
  const { config, hookSites } = model;
  const run = { batch: 1, tokens: config.blockSize, characters: config.contextBlockSize, ...sizes };
  return hookSites.sites.map((site) => ({
    name: site.name,
    aliases: site.aliases,
    axes: `[${site.axes.join(", ")}]`,
    shape: siteShape(site, config, run),
    bytes: siteBytes(site, config, run),
    isDefault: site.isDefault,
  }));
}
