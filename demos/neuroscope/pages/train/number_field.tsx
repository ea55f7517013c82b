import type { VNode } from "preact";

interface Props {
  readonly id: string;
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** Whole numbers unless said otherwise. */
  readonly step?: number | "any";
  readonly onValue: (value: number) => void;
}

/** A number with its name; what is out of range is not taken. */
export function NumberField({ id, label, value, min, max, step = 1, onValue }: Props): VNode {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...{ id, min, max, step, value }}
        type="number"
        onChange={(event) => {
          const { valueAsNumber, validity } = event.currentTarget;
          if (validity.valid && Number.isFinite(valueAsNumber)) onValue(valueAsNumber);
          else event.currentTarget.value = String(value);
        }}
      />
    </div>
  );
}
