import type { VNode } from "preact";
import type { ModelFacts } from "../../engine/model_file.ts";

/** Seeds that the dice draws from. */
const SEEDS = 10_000;

/** The part of a text that a model can write, and what was left out. */
export function fitText(
  text: string,
  { characters, longestWord }: Pick<ModelFacts, "characters" | "longestWord">,
): { text: string; note: string } {
  const lower = characters.includes("A") ? text : text.toLowerCase();
  const unknown = [...new Set(lower)].filter((character) => !characters.includes(character));
  const known = [...lower].filter((character) => characters.includes(character));
  const fitted = known.slice(0, longestWord).join("");
  const notes = [
    ...(unknown.length > 0 ? [`The model does not know ${unknown.map((character) => `“${character}”`).join(", ")}.`] : []),
    ...(known.length > longestWord ? [`It was trained on up to ${longestWord} characters; the rest is left out.`] : []),
  ];
  return { text: fitted, note: notes.join(" ") };
}

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
          max={999_999_999}
          step={1}
          value={seed}
          onChange={(event) => {
            const value = event.currentTarget.valueAsNumber;
            if (Number.isInteger(value) && value >= 0) onSeed(value);
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

/** How freely the model writes. */
export function TemperatureField({ value, onValue }: { readonly value: number; readonly onValue: (value: number) => void }): VNode {
  return (
    <div class="field temperature-field">
      <label for="feature-temperature">Temperature</label>
      <output for="feature-temperature">{value.toFixed(2)}</output>
      <input
        id="feature-temperature"
        type="range"
        min={0}
        max={1.5}
        step={0.05}
        value={value}
        onInput={(event) => onValue(event.currentTarget.valueAsNumber)}
      />
    </div>
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
