import { HookError, type HookHandle, type Module, type Tensor } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";
import type { HookPoint } from "./hook_point.ts";
import type { HookAxis, HookSite } from "./sites.ts";

/** A module to stand behind a site, and what of it can be watched. */
export interface Attachment {
  /** Gets the site's activation; what it gives goes on. It is no part of the model's tree: no parameter or state is the model's. */
  readonly module: Module<[x: Tensor], Tensor>;
  /** Hook points that run in it, by the names that they have behind the site's, with the axes of what passes them. */
  readonly points: Readonly<Record<string, { readonly point: HookPoint; readonly axes: readonly HookAxis[] }>>;
}

/** The modules that stand behind a model's sites. */
export class AttachedModules {
  /** By the site's name. */
  readonly #all = new Map<string, Attachment>();

  /** {@link Transformer.attach}; `onChange` is called when a module comes or goes. */
  attach(
    { module, points }: Attachment,
    { model, site, onChange }: { readonly model: Transformer; readonly site: HookSite; readonly onChange: () => void },
  ): HookHandle {
    if (this.#all.has(site.name)) throw new HookError(`Expected no module behind ${site.name} but found one: remove it first`);
    const seen = model.getSubmodule(site.path).registerForwardHook((_module, _inputs, output: Tensor) => module.call(output));
    this.#all.set(site.name, { module, points });
    onChange();
    const remove = (): void => {
      seen.remove();
      if (this.#all.get(site.name)?.module === module) this.#all.delete(site.name);
      onChange();
    };
    return { remove, [Symbol.dispose]: remove };
  }

  /** The sites of the model, and behind each those of the module there. */
  sitesAmong(own: readonly HookSite[]): HookSite[] {
    return own.flatMap((site) => {
      const points = Object.entries(this.#all.get(site.name)?.points ?? {});
      const inside = points.map(([point, { axes }]): HookSite => {
        const name = `${site.name}.${point}`;
        return { name, aliases: [], path: name, layer: site.layer, axes, isDefault: true };
      });
      return [site, ...inside];
    });
  }

  /** The hook points by the paths of their sites. */
  *points(): IterableIterator<[path: string, point: HookPoint]> {
    for (const [site, { points }] of this.#all) for (const [name, { point }] of Object.entries(points)) yield [`${site}.${name}`, point];
  }
}
