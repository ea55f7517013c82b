import type { VNode } from "preact";
import { type RangeName, ranges } from "./write_settings.ts";

interface Props {
  readonly name: RangeName;
  readonly label: string;
  readonly value: number;
  /** The value with its unit. */
  readonly text: string;
  /** While it is moved. */
  readonly onInput: (value: number) => void;
  readonly help?: string;
}

/** A setting with its name, its value and a slider. */
export function SettingSlider({ name, label, value, text, onInput, help }: Props): VNode {
  const { least, most, step } = ranges[name];
  return (
    <div class="field" title={help}>
      <label for={`setting-${name}`}>{label}</label>
      <output for={`setting-${name}`}>{text}</output>
      <input
        id={`setting-${name}`}
        type="range"
        min={least}
        max={most}
        step={step}
        value={value}
        aria-valuetext={text}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
      />
    </div>
  );
}
