import type { VNode } from "preact";
import { LARGEST_SEED, writingRanges } from "../../app/writing.ts";

/** Seeds that the dice draws from. */
const SEEDS = 10_000;

export interface TextFieldProps {
  readonly id: string;
  readonly label: string;
  readonly text: string;
  readonly note: string;
  readonly onText: (text: string) => void;
}

/** A word, with what the model makes of it below. */
export function TextField({ id, label, text, note, onText }: TextFieldProps): VNode {
  return (
    <div class="field text-field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        value={text}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        aria-describedby={note ? `${id}-note` : undefined}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      {note && (
        <p id={`${id}-note`} class="field-note">
          {note}
        </p>
      )}
    </div>
  );
}

/** A seed, and dice that draw another. */
export function SeedField({ seed, onSeed }: { readonly seed: number; readonly onSeed: (seed: number) => void }): VNode {
  return (
    <div class="field seed-field">
      <label for="feature-seed">Seed</label>
      <div class="with-button">
        <input
          id="feature-seed"
          type="number"
          min={0}
          max={LARGEST_SEED}
          step={1}
          value={seed}
          onChange={(event) => {
            const value = event.currentTarget.valueAsNumber;
            if (Number.isInteger(value) && value >= 0 && value <= LARGEST_SEED) onSeed(value);
          }}
        />
        <button type="button" title="Another seed" onClick={() => onSeed(Math.floor(Math.random() * SEEDS))}>
          <span aria-hidden="true">⚄</span>
          <span class="visually-hidden">Another seed</span>
        </button>
      </div>
    </div>
  );
}

export interface DrawingFieldsProps {
  readonly temperature: number;
  readonly topK: number;
  readonly onChange: (changes: { readonly temperature: number } | { readonly topK: number }) => void;
}

/** How freely the model writes: the same numbers as on the Write page. */
export function DrawingFields({ temperature, topK, onChange }: DrawingFieldsProps): VNode {
  const sliders = [
    ["temperature", "Temperature", temperature, temperature.toFixed(2)],
    ["topK", "Top k", topK, topK === 0 ? "all" : String(topK)],
  ] as const;
  return (
    <>
      {sliders.map(([name, label, value, text]) => (
        <div class="field temperature-field" key={name}>
          <label for={`feature-${name}`}>{label}</label>
          <output for={`feature-${name}`}>{text}</output>
          <input
            id={`feature-${name}`}
            type="range"
            min={writingRanges[name].least}
            max={writingRanges[name].most}
            step={writingRanges[name].step}
            value={value}
            aria-valuetext={text}
            onInput={({ currentTarget: { valueAsNumber } }) =>
              onChange(name === "topK" ? { topK: valueAsNumber } : { temperature: valueAsNumber })
            }
          />
        </div>
      ))}
    </>
  );
}

export interface ChoiceProps<T extends string> {
  readonly name: string;
  readonly legend: string;
  readonly value: T;
  readonly choices: readonly (readonly [value: T, label: string, title?: string])[];
  readonly onChoice: (value: T) => void;
}

/** One of a few, side by side: radio buttons that look like one control. */
export function Choice<T extends string>({ name, legend, value, choices, onChoice }: ChoiceProps<T>): VNode {
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      <div>
        {choices.map(([each, label, title]) => (
          <label title={title} class={each === value ? "chosen" : ""}>
            <input type="radio" name={name} value={each} checked={each === value} onChange={() => onChoice(each)} />
            {label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
