import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { type ModelPresetName, type ModelTrainConfig, modelPresets } from "../../engine/train_config.ts";
import { NumberField } from "./number_field.tsx";
import { type ChosenBank, WordsField } from "./words_field.tsx";

interface Props {
  readonly isBusy: boolean;
  readonly onStart: (config: ModelTrainConfig, bank: ChosenBank | undefined) => void;
}

const names = Object.keys(modelPresets) as ModelPresetName[];

/** What a new model is to be, and what it learns from. */
export function ModelForm({ isBusy, onStart }: Props): VNode {
  const config = useSignal(modelPresets.quick.config);
  const bank = useSignal<ChosenBank | undefined>(undefined);
  const { preset, steps, model, training, data } = config.value;
  const change = (changes: Partial<ModelTrainConfig>): void => {
    config.value = { ...config.value, ...changes };
  };
  const start = (): void => {
    const words = bank.value ? ({ ...config.value.words, source: "bank", name: bank.value.name } as const) : config.value.words;
    onStart({ ...config.value, words }, bank.value);
  };
  return (
    <form
      class="train-form"
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      <div class="field">
        <label for="model-preset">Preset</label>
        <select
          id="model-preset"
          value={preset}
          onChange={(event) => {
            config.value = modelPresets[event.currentTarget.value as ModelPresetName].config;
          }}
        >
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <p class="muted small">{modelPresets[preset].about}.</p>
      <WordsField
        onBank={(chosen) => {
          bank.value = chosen;
        }}
      />
      <NumberField id="model-steps" label="Steps" value={steps} min={1} max={1_000_000} onValue={(value) => change({ steps: value })} />
      <details>
        <summary>Sizes and rate</summary>
        <div class="field-grid">
          <NumberField
            id="model-layers"
            label="Layers"
            value={model.nLayer}
            min={1}
            max={12}
            onValue={(nLayer) => change({ model: { ...model, nLayer } })}
          />
          <NumberField
            id="model-width"
            label="Width, a multiple of 4 heads"
            value={model.nEmbd}
            min={8}
            max={512}
            step={4}
            onValue={(nEmbd) => change({ model: { ...model, nEmbd } })}
          />
          <NumberField
            id="model-batch"
            label="Batch, sequences"
            value={training.batchSize}
            min={1}
            max={256}
            onValue={(batchSize) => change({ training: { ...training, batchSize } })}
          />
          <NumberField
            id="model-length"
            label="Tokens a sequence"
            value={data.maxLength}
            min={24}
            max={1000}
            onValue={(maxLength) => change({ data: { ...data, maxLength } })}
          />
          <NumberField
            id="model-rate"
            label="Learning rate"
            value={training.lr}
            min={1e-6}
            max={1}
            step="any"
            onValue={(lr) => change({ training: { ...training, lr } })}
          />
          <NumberField
            id="model-seed"
            label="Seed"
            value={config.value.seed}
            min={0}
            max={2 ** 32 - 1}
            onValue={(seed) => change({ seed })}
          />
        </div>
      </details>
      <button type="submit" class="primary" disabled={isBusy}>
        New model
      </button>
    </form>
  );
}
