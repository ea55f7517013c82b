import { HookError, nearest } from "@cursive/tensor";
import { getActName, type LayerType } from "./act_name.ts";
import type { HookSite } from "./sites.ts";

/**
 * Which sites are meant: a name, an alias or a path; a pattern in which `*` stands for any characters and `?` for one; a regular expression
 * over names and aliases; a function of TransformerLens's names; or several of these.
 */
export type NamesFilter = string | RegExp | ((name: string) => boolean) | readonly NamesFilter[];

/** The sites of a model, by all their names. */
export class SiteIndex {
  /** In the order in which they run. */
  readonly sites: readonly HookSite[];
  readonly #byName = new Map<string, HookSite>();
  readonly #layers: number;

  constructor(sites: readonly HookSite[], { layers }: { readonly layers: number }) {
    this.sites = sites;
    this.#layers = layers;
    for (const site of sites) for (const name of namesOf(site)) this.#byName.set(name, site);
  }

  /** A site by name, alias or path. @throws HookError that names the nearest ones. */
  find(name: string): HookSite {
    const site = this.#byName.get(name);
    if (site) return site;
    throw new HookError(`Expected the name of a hook but found '${name}'; nearest: ${this.#nearest(name)}`);
  }

  /** A site by its full or short name; layers below 0 count from the last. @throws HookError that names the nearest ones. */
  findShort(name: string, layer?: number, layerType?: LayerType): HookSite {
    if (layer === undefined && this.#byName.has(name)) return this.find(name);
    return this.find(getActName(name, layer !== undefined && layer < 0 ? this.#layers + layer : layer, layerType));
  }

  /**
   * The sites that a filter means, each once, in the order in which they run.
   * @throws HookError if a name is unknown, or a pattern, expression or function means none of them.
   */
  select(filter: NamesFilter): HookSite[] {
    const chosen = new Set(this.#chosen(filter));
    return this.sites.filter((site) => chosen.has(site));
  }

  /** The sites that a filter means by name, not by pattern, expression or function. */
  named(filter: NamesFilter): HookSite[] {
    if (typeof filter === "string") return isPattern(filter) ? [] : [this.find(filter)];
    return Array.isArray(filter) ? filter.flatMap((each: NamesFilter) => this.named(each)) : [];
  }

  #chosen(filter: NamesFilter): HookSite[] {
    if (typeof filter === "string") return isPattern(filter) ? this.#matching(filter) : [this.find(filter)];
    if (filter instanceof RegExp) return this.#some(filter, (site) => namesOf(site).some((name) => name.search(filter) >= 0));
    if (typeof filter === "function") return this.#some(filter.name || "a function", ({ name }) => filter(name));
    return filter.flatMap((each) => this.#chosen(each));
  }

  #matching(pattern: string): HookSite[] {
    const expression = new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, "\\$&")
        .replaceAll("*", ".*")
        .replaceAll("?", ".")}$`,
    );
    return this.#some(pattern, (site) => namesOf(site).some((name) => expression.test(name)));
  }

  #some(filter: unknown, means: (site: HookSite) => boolean): HookSite[] {
    const found = this.sites.filter(means);
    if (found.length > 0) return found;
    const hint = typeof filter === "string" && isPattern(filter) ? `; nearest: ${this.#nearest(filter)}` : "";
    throw new HookError(`Expected a filter that means some hook but found that ${filter} means none of ${this.sites.length}${hint}`);
  }

  /** Names that contain the one asked for are meant more likely than others as near. */
  #nearest(name: string): string {
    const names = [...this.#byName.keys()];
    const longer = names.filter((other) => other.includes(name)).slice(0, 3);
    return [...new Set([...longer, ...nearest(name, names)])].slice(0, Math.max(3, longer.length)).join(", ");
  }
}

function namesOf(site: HookSite): string[] {
  return [site.name, ...site.aliases];
}

function isPattern(name: string): boolean {
  return /[*?]/.test(name);
}
