import type { Architecture, PresetName } from "@cursive/sae";
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useBench } from "../../app/bench_context.ts";
import type { ModelFacts } from "../../engine/model_file.ts";
import { type SaeChoices, type SaeTrainConfig, saeTrainConfig } from "../../engine/train_config.ts";
import { NumberField } from "./number_field.tsx";

interface Props {
  readonly isBusy: boolean;
  readonly onStart: (config: SaeTrainConfig) => void;
}

const presets: Readonly<Record<PresetName, string>> = {
  default: "TopK with AuxK on mixed ink, decoder rows of norm 1: what works well",
  notebook: "the notebook's L1 with its faults, for comparison: summed L1, free decoder, padding trained on",
};

/** The kinds, and what each asks of a feature. */
const kinds: readonly { readonly name: Architecture; readonly label: string; readonly sparsity: "k" | "l1" | "l0" }[] = [
  { name: "topk", label: "TopK", sparsity: "k" },
  { name: "batchtopk", label: "BatchTopK", sparsity: "k" },
  { name: "matryoshka", label: "Matryoshka BatchTopK", sparsity: "k" },
  { name: "standard", label: "ReLU with L1", sparsity: "l1" },
  { name: "gated", label: "Gated", sparsity: "l1" },
  { name: "jumprelu", label: "JumpReLU", sparsity: "l0" },
];

/** Places in a block whose activations have a row for each token, and how much wider than the model they are. */
const sites = [
  { name: "hook_mlp_out", label: "MLP output", width: 1 },
  { name: "mlp.hook_post", label: "MLP neurons", width: 4 },
  { name: "hook_attn_out", label: "self-attention output", width: 1 },
  { name: "hook_cross_attn_out", label: "cross-attention output", width: 1 },
  { name: "hook_resid_post", label: "residual stream after the block", width: 1 },
] as const;

/** What a new autoencoder is to be, and which activations of the model it takes apart. */
export function SaeForm({ isBusy, onStart }: Props): VNode {
  const model = useBench().model.value;
  const choices = useSignal<Partial<SaeChoices> & { readonly preset: PresetName }>({ preset: "default", steps: 1000 });
  const site = useSignal(`blocks.0.${sites[0].name}`);
  if (!model) return <p class="muted">The model is being loaded; an autoencoder is trained on its activations.</p>;

  const dIn = (sites.find(({ name }) => site.value.endsWith(name))?.width ?? 1) * model.config.nEmbd;
  const config = saeTrainConfig({ ...choices.value, site: site.value, dIn, words: wordsFor(model) });
  const { sae, train, data } = config.plan;
  const kind = kinds.find(({ name }) => name === sae.architecture)!;
  const { k, coefficient = startCoefficient(sae.architecture, choices.value.preset) } = choices.value;
  const change = (changes: Partial<SaeChoices>): void => {
    choices.value = { ...choices.value, ...changes };
  };
  return (
    <form
      class="train-form"
      onSubmit={(event) => {
        event.preventDefault();
        onStart(config);
      }}
    >
      <p class="small">
        On the activations of <b>{model.name}</b>.
      </p>
      <div class="field">
        <label for="sae-preset">Preset</label>
        <select
          id="sae-preset"
          value={choices.value.preset}
          onChange={({ currentTarget: { value } }) => {
            choices.value = {
              preset: value as PresetName,
              steps: 1000,
              ...(value === "notebook" && { sequences: 256, batchSequences: 64 }),
            };
          }}
        >
          {Object.keys(presets).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <p class="muted small">{presets[choices.value.preset]}.</p>
      <div class="field">
        <label for="sae-site">Activations</label>
        <span class="value">{dIn} wide</span>
        <select
          id="sae-site"
          value={site.value}
          onChange={({ currentTarget: { value } }) => {
            site.value = value;
          }}
        >
          {Array.from({ length: model.config.nLayer }, (_, layer) => (
            <optgroup key={layer} label={`Block ${layer}`}>
              {sites.map(({ name, label }) => (
                <option key={name} value={`blocks.${layer}.${name}`}>
                  {layer}: {label}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </div>
      <div class="field">
        <label for="sae-kind">Architecture</label>
        <select
          id="sae-kind"
          value={sae.architecture}
          onChange={({ currentTarget: { value } }) => change({ architecture: value as Architecture, coefficient: undefined })}
        >
          {kinds.map(({ name, label }) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <div class="field-grid">
        {kind.sparsity === "k" ? (
          <NumberField
            id="sae-k"
            label="Features a row (k)"
            value={k ?? Math.min(8, dIn)}
            min={1}
            max={dIn}
            onValue={(value) => change({ k: value })}
          />
        ) : (
          <NumberField
            id="sae-coefficient"
            label={`${kind.sparsity.toUpperCase()} coefficient`}
            value={coefficient}
            min={0}
            max={1000}
            step="any"
            onValue={(value) => change({ coefficient: value })}
          />
        )}
        <NumberField id="sae-features" label="Features" value={sae.dSae} min={8} max={16_384} onValue={(dSae) => change({ dSae })} />
        <NumberField id="sae-steps" label="Steps" value={train.totalSteps} min={1} max={1_000_000} onValue={(steps) => change({ steps })} />
        {"rows" in data.batch ? (
          <NumberField
            id="sae-rows"
            label="Rows a step"
            value={data.batch.rows}
            min={16}
            max={65_536}
            onValue={(batchRows) => change({ batchRows })}
          />
        ) : (
          <NumberField
            id="sae-sequences"
            label="Sequences in all"
            value={data.sequences ?? 1000}
            min={8}
            max={4000}
            onValue={(sequences) => change({ sequences })}
          />
        )}
        <NumberField
          id="sae-rate"
          label="Learning rate"
          value={train.lr ?? 1e-3}
          min={1e-7}
          max={1}
          step="any"
          onValue={(lr) => change({ lr })}
        />
        <NumberField id="sae-seed" label="Seed" value={config.seed} min={0} max={2 ** 32 - 1} onValue={(seed) => change({ seed })} />
      </div>
      <button type="submit" class="primary" disabled={isBusy}>
        New autoencoder
      </button>
    </form>
  );
}

/** Built-in words such as the model was trained on. */
function wordsFor({ characters, longestWord }: ModelFacts): SaeTrainConfig["words"] {
  const letters = [...characters].filter((character) => character !== " ").join("");
  return { source: "cursive", count: 2000, characters: letters, letters: [1, Math.min(8, longestWord)] };
}

/** Where the coefficient starts: the architecture's own default. */
function startCoefficient(architecture: Architecture, preset: PresetName): number {
  if (architecture === "jumprelu") return 0.5;
  return preset === "notebook" && architecture === "standard" ? 3e-4 : 2;
}
