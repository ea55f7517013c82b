import { type Override, parseSetting } from "../config/overrides.ts";
import { applyOverrides } from "../config/resolve.ts";
import { UsageError } from "../errors.ts";
import type { SaeRunConfig } from "./sae_config.ts";
import { saeKeys } from "./sae_schema.ts";

/** One autoencoder of a run, with the values that tell it from the others. */
export interface GridMember {
  /** `sae` where there is only one, else such as `k-8_seed-1`, behind its hook where there are several; good for a file's name. */
  readonly name: string;
  /** Which of the source's sites it takes, by place. */
  readonly site: number;
  readonly config: SaeRunConfig;
}

const MOST = 64;

/**
 * A configuration for each combination of a grid's values at each hook; the one configuration for each without a grid.
 * @throws UsageError for keys that the members of one stream cannot differ in, values that do not fit, and very many combinations.
 */
export function gridMembers(config: SaeRunConfig): GridMember[] {
  const axes = (config.grid ?? []).map(readAxis);
  const twice = axes.find(({ path }, i) => axes.findIndex((other) => other.path === path) !== i);
  if (twice) throw new UsageError(`Expected each key once in a grid but found ${twice.path} again`);
  const points = axes.reduce<Override[][]>((sum, { values }) => sum.flatMap((point) => values.map((value) => [...point, value])), [[]]);
  const { hooks } = config.source;
  const count = hooks.length * points.length;
  if (count > MOST) throw new UsageError(`Expected a grid of at most ${MOST} autoencoders but found ${count}`);
  return hooks.flatMap((hook, site) =>
    points.map((point) => {
      const parts = [...(hooks.length > 1 ? [hook] : []), ...point.map(partOfName)];
      return { name: parts.join("_") || "sae", site, config: applyOverrides({ ...config, grid: null }, point).config };
    }),
  );
}

/** Values with commas between; those within brackets belong to one: `[8,16],[16]` are two. */
function splitValues(list: string): string[] {
  return list.split(/,(?![^[\]]*\])/);
}

/** Reads `k=4,8,16`, or `widths=[8,64],[16,64]`; `sae.` may be left out. */
function readAxis(text: string): { path: string; values: Override[] } {
  const [key = "", list = ""] = text.split(/=(.*)/s);
  if (!key || !list) throw new UsageError(`Expected --grid key=value,value, such as --grid k=4,8,16, but found "${text}"`);
  const path = saeKeys.at(`sae.${key}`) ? `sae.${key}` : key === "lr" ? "training.lr" : key;
  const values = splitValues(list).map((value) => parseSetting(`${path}=${value}`, saeKeys));
  if (!(path.startsWith("sae.") || path === "training.lr") || path === "sae.architecture")
    throw new UsageError(
      `Expected a grid over options of the autoencoder or training.lr but found ${path}: what else differs is for a run of its own`,
    );
  const texts = values.map(({ value }) => String(value));
  const twice = texts.find((value, i) => texts.indexOf(value) !== i);
  if (twice !== undefined) throw new UsageError(`Expected values that differ in a grid but found ${path}=${twice} twice`);
  return { path, values };
}

/** Such as `k-8`, and `widths-16-64` of a list. */
function partOfName({ path, value }: Override): string {
  return [path.split(".").at(-1), ...[value].flat()].map(String).join("-");
}
