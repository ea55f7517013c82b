import type { VNode } from "preact";
import type { Related } from "../../../analysis/related.ts";
import type { FeatureOverview, FeaturePage } from "../../feature_pages.ts";
import { BarTable } from "../charts/bar_table.tsx";
import { findFeature } from "../find_feature.ts";
import { signed, spelled } from "../format.ts";
import { Panel } from "./panel.tsx";

/** What {@link RelativesPanel} shows. */
export interface RelativesPanelProps {
  readonly page: FeaturePage;
  readonly overview: FeatureOverview;
  readonly labels: ReadonlyMap<number, string>;
  readonly hrefOf: (index: number) => string;
}

/** Features like this one, and the dimensions of the model that it writes to. */
export function RelativesPanel({ page: { nearest, correlated, neurons }, overview, labels, hrefOf }: RelativesPanelProps): VNode {
  const rows = (related: readonly Related[]) =>
    related.map(({ latent, value }) => {
      const found = findFeature(overview, latent);
      if (!found) return { key: latent, name: latent, value };
      const label = labels.get(latent) ?? found.label;
      const name = (
        <a href={hrefOf(latent)}>
          {latent}
          {label && <span class="fv-note"> {label}</span>}
        </a>
      );
      return { key: latent, name, value };
    });
  return (
    <Panel title="Relatives">
      <div class="fv-charts">
        {nearest.length > 0 && (
          <BarTable caption="Features whose decoder rows point most alike" head={["writes alike", "cosine"]} max={1} rows={rows(nearest)} />
        )}
        {correlated.length > 0 && (
          <BarTable caption="Features that fire most alike" head={["fires alike", "correlation"]} max={1} rows={rows(correlated)} />
        )}
        {neurons.length > 0 && (
          <BarTable
            caption="Dimensions of the model that it writes to most"
            head={["dimension", "weight"]}
            format={(value) => (value < 0 ? spelled(value) : signed(value))}
            rows={neurons.map(({ index, weight }) => ({ key: index, name: index, value: weight }))}
          />
        )}
      </div>
    </Panel>
  );
}
