import type { VNode } from "preact";
import type { FeatureAblation } from "../../feature_pages.ts";
import { BarTable } from "../charts/bar_table.tsx";
import { counted, plural, signed, spelled } from "../format.ts";
import { Panel } from "./panel.tsx";

/** What it costs the model to be without the feature. */
export function AblationPanel({ ablation }: { readonly ablation: FeatureAblation | null }): VNode {
  if (!ablation)
    return (
      <Panel title="Ablation">
        <p class="fv-note">Not measured for this feature.</p>
      </Panel>
    );
  const { deltaCe, deltaCeError, deltaCeWhereFiring, klWhereFiring, byClass, sequences, sequencesFiring, count } = ablation;
  return (
    <Panel title="Ablation" about="What the model loses when the feature is set to 0 and all else stays.">
      <dl class="fv-facts">
        <div>
          <dt>ΔCE over all tokens</dt>
          <dd>
            {signed(deltaCe)}
            {deltaCeError ? ` ± ${spelled(deltaCeError)}` : ""} nats
          </dd>
        </div>
        <div>
          <dt>ΔCE where it fires</dt>
          <dd>{signed(deltaCeWhereFiring)} nats</dd>
        </div>
        <div>
          <dt>KL where it fires</dt>
          <dd>{spelled(klWhereFiring)} nats</dd>
        </div>
      </dl>
      <BarTable
        caption="ΔCE where it fires, by what comes next"
        head={["next token", "ΔCE", "places"]}
        format={signed}
        rows={byClass.map(({ token, deltaCe: cost, count: places }) => ({ key: token, name: token, value: cost, more: [counted(places)] }))}
      />
      <p class="fv-note">
        Run on {counted(sequences)} of the {plural(sequencesFiring, "sequence")} in which it fires, {plural(count, "place")}
        {deltaCeError ? "; ± is a standard error over other draws of them" : ""}.
      </p>
    </Panel>
  );
}
