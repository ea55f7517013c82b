import type { VNode } from "preact";
import type { FeatureOverview } from "../feature_pages.ts";
import { rowsTold } from "../rows_told.ts";
import { counted, percent, plural, signed, spelled } from "./format.ts";

/** Where features come from, and how well their autoencoder does. */
export function AboutFeatures({ overview: { about } }: { readonly overview: FeatureOverview }): VNode {
  const { metrics } = about;
  const facts = [
    { name: "alive", value: counted(metrics.alive), more: `of ${plural(about.dSae, "feature")}` },
    { name: "dead", value: counted(metrics.dead), more: "never fired" },
    { name: "dense", value: counted(metrics.dense), more: "on over 10%" },
    ...(metrics.l0 === null ? [] : [{ name: "L0", value: spelled(metrics.l0), more: "features a token" }]),
    ...(metrics.fve === null ? [] : [{ name: "variance explained", value: percent(Math.max(0, metrics.fve)), more: "" }]),
    ...(metrics.deltaCe === null ? [] : [{ name: "ΔCE", value: signed(metrics.deltaCe), more: "nats a token" }]),
  ];
  return (
    <section class="fv-about" aria-label="About these features">
      <dl class="fv-facts fv-wide">
        {facts.map(({ name, value, more }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {value} {more && <small>{more}</small>}
            </dd>
          </div>
        ))}
      </dl>
      <p class="fv-note">
        {about.architecture} on {about.hook}, {counted(about.dIn)} → {counted(about.dSae)}; read from {plural(about.sequences, "sequence")}{" "}
        of {about.words}, {rowsTold(about, counted)}.
      </p>
    </section>
  );
}
