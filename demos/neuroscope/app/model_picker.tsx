import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { showToast } from "./announce.ts";
import { useBench } from "./bench_context.ts";
import { count, shortBytes } from "./format.ts";

/** Which model and which autoencoder are at work, and a way to open a model of one's own. */
export function ModelPicker(): VNode {
  const bench = useBench();
  const input = useRef<HTMLInputElement>(null);
  const model = bench.model.value;
  const sae = bench.sae.value;
  const isReady = bench.status.value.kind === "ready";
  const isFailed = bench.status.value.kind === "failed";
  const open = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    try {
      await bench.openModel(file);
      showToast(`${file.name} is open. It stays in this tab.`);
    } catch (error) {
      showToast(`${file.name} was not opened. ${(error as Error).message}.`);
    }
  };
  return (
    <details class="menu model-picker">
      <summary class="chip">
        {model ? `model ${model.name}` : isFailed ? "no model" : "model: loading"}
        {sae && ` · SAE ${sae.name}`}
      </summary>
      <div class="menu-body">
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
          A model of your own: a checkpoint of <code>pnpm cli train</code>, such as <code>best.safetensors</code>. It is read in this tab
          and goes nowhere.
        </p>
        <button type="button" disabled={!isReady} onClick={() => input.current?.click()}>
          Open a checkpoint…
        </button>
        <input
          ref={input}
          type="file"
          accept=".safetensors"
          class="visually-hidden"
          tabIndex={-1}
          aria-label="A checkpoint's file"
          onChange={(event) => {
            void open(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
      </div>
    </details>
  );
}
