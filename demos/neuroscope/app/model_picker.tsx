import type { VNode } from "preact";
import { useBench } from "./bench_context.ts";
import { count, shortBytes } from "./format.ts";
import { Menu } from "./menu.tsx";
import { OpenAutoencoder, OpenCheckpoint } from "./open_file.tsx";

/** Which model and which autoencoder are at work, and a way to open others. */
export function ModelPicker(): VNode {
  const bench = useBench();
  const model = bench.model.value;
  const sae = bench.sae.value;
  const isFailed = bench.status.value.kind === "failed";
  return (
    <Menu
      class="model-picker"
      summaryClass="chip"
      summary={`${model ? `model ${model.name}` : isFailed ? "no model" : "model: loading"}${sae ? ` · SAE ${sae.name}` : ""}`}
    >
      {() => (
        <>
          {model && (
            <dl class="facts">
              <dt>Model</dt>
              <dd>
                {model.name}, {count(model.parameters)} parameters, {shortBytes(model.bytes)}
              </dd>
              <dt>Trained</dt>
              <dd>{count(model.step)} steps</dd>
              <dt>Layers</dt>
              <dd>
                {model.config.nLayer}, of {model.config.nHead} heads, width {model.config.nEmbd}
              </dd>
              <dt>Writes</dt>
              <dd>
                {model.characters}, up to {model.longestWord} at a time
              </dd>
              <dt>Autoencoder</dt>
              <dd>{sae ? `${sae.name}: ${sae.architecture}, ${sae.width} to ${sae.features}, of ${sae.hook}` : "none for this model"}</dd>
            </dl>
          )}
          <p>
            A model of your own is a checkpoint of <code>pnpm cli train</code>, such as <code>best.safetensors</code>; an autoencoder of it
            a <code>sae.safetensors</code> of <code>pnpm cli sae train</code>. Both are read in this tab and go nowhere.
          </p>
          <div class="actions">
            <OpenCheckpoint />
            <OpenAutoencoder />
          </div>
        </>
      )}
    </Menu>
  );
}
