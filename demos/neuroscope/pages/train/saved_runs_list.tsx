import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { count, shortBytes } from "../../app/format.ts";
import type { RunEntry } from "../../engine/saved_runs.ts";
import { describeConfig } from "../../engine/train_config.ts";
import { trainer } from "./trainer.ts";

interface Props {
  readonly runs: readonly RunEntry[];
  /** The run that is open. */
  readonly current: string | undefined;
  readonly isBusy: boolean;
}

/** Runs that this browser keeps, and a way to open one from a file. */
export function SavedRunsList({ runs, current, isBusy }: Props): VNode {
  const input = useRef<HTMLInputElement>(null);
  const doubted = useSignal<string | undefined>(undefined);
  return (
    <section class="card saved-runs" aria-label="Saved runs">
      <div class="card-head">
        <h2>Saved runs</h2>
        <button type="button" disabled={isBusy} onClick={() => input.current?.click()}>
          Open a file…
        </button>
        <input
          ref={input}
          type="file"
          accept=".safetensors"
          class="visually-hidden"
          tabIndex={-1}
          aria-label="A saved run's file"
          onChange={({ currentTarget }) => {
            const [file] = currentTarget.files ?? [];
            if (file) void trainer.openFile(file);
            currentTarget.value = "";
          }}
        />
      </div>
      {runs.length === 0 && <p class="muted">None yet. A run is saved here as it goes, and is found again after the tab was closed.</p>}
      <ul>
        {runs.map(({ id, config, step, steps, savedAt, bytes }) => (
          <li key={id} aria-current={id === current ? "true" : undefined}>
            <div>
              <strong>{describeConfig(config)}</strong>
              <span class="muted small">
                step {count(step)} of {count(steps)}, saved {when(savedAt)}, {shortBytes(bytes)}
              </span>
            </div>
            <div class="run-actions">
              {doubted.value === id ? (
                <>
                  <span class="small">Delete it for good?</span>
                  <button
                    type="button"
                    onClick={() => {
                      doubted.value = undefined;
                      void trainer.remove(id);
                    }}
                  >
                    Delete
                  </button>
                  <button
                    type="button"
                    onClick={() => {
                      doubted.value = undefined;
                    }}
                  >
                    Keep
                  </button>
                </>
              ) : (
                <>
                  <button type="button" disabled={isBusy || id === current} onClick={() => void trainer.open(id)}>
                    {id === current ? "Open now" : "Open"}
                  </button>
                  <button
                    type="button"
                    class="quiet"
                    aria-label={`Delete ${describeConfig(config)}, step ${step}`}
                    disabled={isBusy}
                    onClick={() => {
                      doubted.value = id;
                    }}
                  >
                    Delete…
                  </button>
                </>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function when(milliseconds: number): string {
  const date = new Date(milliseconds);
  const isToday = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return isToday ? `today at ${time}` : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} at ${time}`;
}
