import type { VNode } from "preact";
import { SettingSlider } from "./setting_slider.tsx";
import type { WriteSettings } from "./write_settings.ts";

interface Props {
  readonly settings: WriteSettings;
  /** Sets parameters of the link. */
  readonly onChange: (changes: Partial<Record<"seed" | "temperature" | "topK" | "speed" | "width" | "slant", number>>) => void;
  readonly onSwitch: (name: "off" | "smooth", value: "1" | "0" | undefined) => void;
  readonly onDice: () => void;
}

/** How the model draws, and how its ink looks. */
export function SettingsCard({ settings, onChange, onSwitch, onDice }: Props): VNode {
  const { seed, temperature, topK, speed, width, slant, withoutText, smooth } = settings;
  return (
    <section class="settings card" aria-label="Settings">
      <fieldset>
        <legend>Drawing tokens</legend>
        <div class="field">
          <label for="setting-seed">Seed</label>
          <div class="write-seed">
            <input
              id="setting-seed"
              type="number"
              min={0}
              max={0xffff_ffff}
              step={1}
              value={seed}
              onChange={(event) => onChange({ seed: Math.max(0, Math.floor(Number(event.currentTarget.value) || 0)) })}
            />
            <button type="button" onClick={onDice} title="Another seed: D">
              <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" class="die">
                <rect x="2" y="2" width="16" height="16" rx="4" />
                <circle cx="6.5" cy="6.5" r="1.6" />
                <circle cx="10" cy="10" r="1.6" />
                <circle cx="13.5" cy="13.5" r="1.6" />
              </svg>
              <span class="visually-hidden">Another seed</span>
            </button>
          </div>
        </div>
        <SettingSlider
          name="temperature"
          label="Temperature"
          value={temperature}
          text={temperature === 0 ? "0, the likeliest" : temperature.toFixed(2)}
          help="Below 1 tidier, above 1 wilder"
          onInput={(value) => onChange({ temperature: value })}
        />
        <SettingSlider
          name="topK"
          label="Top k"
          value={topK}
          text={topK === 0 ? "all tokens" : `${topK} likeliest`}
          help="Among how many of the likeliest tokens is drawn"
          onInput={(value) => onChange({ topK: value })}
        />
        <label class="check" title="The model does not see what it is asked to write: its letters then spell nothing">
          <input
            type="checkbox"
            checked={withoutText}
            onChange={(event) => onSwitch("off", event.currentTarget.checked ? "1" : undefined)}
          />
          Hide the text from the model
        </label>
      </fieldset>
      <fieldset>
        <legend>Showing ink</legend>
        <SettingSlider name="speed" label="Speed" value={speed} text={`${speed}×`} onInput={(value) => onChange({ speed: value })} />
        <SettingSlider
          name="width"
          label="Pen"
          value={width}
          text={(width / 1000).toFixed(3)}
          onInput={(value) => onChange({ width: value })}
        />
        <SettingSlider
          name="slant"
          label="Slant"
          value={slant}
          text={`${Math.round((Math.atan(slant / 100) * 180) / Math.PI)}°`}
          onInput={(value) => onChange({ slant: value })}
        />
        <label class="check" title="Curves through the ends of the movements. Off: the movements as they are drawn">
          <input type="checkbox" checked={smooth} onChange={(event) => onSwitch("smooth", event.currentTarget.checked ? undefined : "0")} />
          Smooth curves
        </label>
      </fieldset>
    </section>
  );
}
