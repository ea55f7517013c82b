import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { announce, showToast } from "../../app/announce.ts";
import { useBench } from "../../app/bench_context.ts";
import { count } from "../../app/format.ts";
import { useShortcuts } from "../../app/keys.ts";
import { describeConfig } from "../../engine/train_config.ts";
import type { TrainStatus } from "../../engine/train_host.ts";
import { downloadBytes } from "./download.ts";
import { clock, figure, speed } from "./figures.ts";
import { trainer } from "./trainer.ts";

type Run = NonNullable<TrainStatus["run"]>;

interface Props {
  readonly status: TrainStatus;
  readonly run: Run;
}

/** The run that is open: where it stands, then everything else that can be done with it. */
export function RunPanel({ status: { state, stage }, run }: Props): VNode {
  const bench = useBench();
  const { config, step, steps, tokensPerSecond, tokensPerStep } = run;
  const isRunning = state === "running";
  const isDone = step >= steps;
  const toggle = (): void => void (isRunning ? trainer.pause() : trainer.play());
  const one = (): void => void trainer.step().catch(() => {}); // the status says it
  useShortcuts("Train", [
    { key: " ", does: "Start or pause", run: toggle },
    { key: ".", does: "One step", run: one },
  ]);
  useEffect(() => {
    if (step > 0 && step % 100 === 0) announce(`Step ${step} of ${steps}`);
  }, [step, steps]);

  const use = async (): Promise<void> => {
    try {
      const file = new File([await trainer.exportWeights()], `${config.preset}-step-${step}.safetensors`);
      await (config.kind === "model" ? bench.openModel(file) : bench.openSae(file));
      showToast(`The ${nounOf(run)} of step ${count(step)} is open on all pages.`);
    } catch (error) {
      showToast(`It was not opened. ${(error as Error).message}`);
    }
  };
  const save = async (make: () => Promise<Uint8Array<ArrayBuffer>>, name: string): Promise<void> => {
    try {
      downloadBytes(await make(), name);
    } catch (error) {
      showToast(`Nothing was saved. ${(error as Error).message}`);
    }
  };
  const left = tokensPerSecond === undefined ? undefined : ((steps - step) * tokensPerStep) / tokensPerSecond;
  return (
    <>
      <section class="card run-panel" aria-label="The run">
        <h2>{describeConfig(config)}</h2>
        <div class="transport">
          <button type="button" class="primary" disabled={isDone || state === "opening"} onClick={toggle}>
            {isRunning ? "Pause" : step === 0 ? "Start" : isDone ? "Finished" : "Go on"}
          </button>
          <button type="button" disabled={isDone || isRunning || state === "opening"} onClick={one}>
            One step
          </button>
          <button type="button" onClick={() => void trainer.stop()}>
            Close
          </button>
        </div>
        <div class="run-progress">
          <progress max={steps} value={step} aria-label="Steps taken" />
          <p>
            Step <b data-step={step}>{count(step)}</b> of {count(steps)}
            {left !== undefined && !isDone && <span class="muted"> · {clock(left)} left</span>}
            {stage ? <span class="muted"> · {stage}</span> : null}
          </p>
        </div>
      </section>
      <section class="card run-panel run-more" aria-label="More of the run">
        <dl class="facts small">
          <dt>Speed</dt>
          <dd>{tokensPerSecond === undefined ? "–" : `${speed(tokensPerSecond)} ${config.kind === "model" ? "tokens" : "rows"}/s`}</dd>
          <dt>Saved</dt>
          <dd>{savedText(run)}</dd>
          <dt>GPU</dt>
          <dd>{run.adapter}</dd>
        </dl>
        <FactorSlider
          id="rate-factor"
          label="Learning rate"
          value={run.tuning.rateFactor}
          shown={figure(run.rate)}
          onValue={(rateFactor) => void trainer.tune({ ...run.tuning, rateFactor })}
        />
        {coefficientOf(run) !== undefined && (
          <FactorSlider
            id="sparsity-factor"
            label="Sparsity coefficient"
            value={run.tuning.sparsityFactor}
            shown={figure(coefficientOf(run)! * (run.sparsityScale ?? 1))}
            onValue={(sparsityFactor) => void trainer.tune({ ...run.tuning, sparsityFactor })}
          />
        )}
        <div class="run-actions">
          <button type="button" disabled={state === "opening"} onClick={() => void use()}>
            Use on all pages
          </button>
          <button
            type="button"
            disabled={state === "opening"}
            title={
              config.kind === "model"
                ? "All of the run: it can be gone on with here, and is a checkpoint of the command line"
                : "All of the run: it can be gone on with here"
            }
            onClick={() => void save(() => trainer.saveFile(), `neuroscope-${config.preset}-step-${step}.safetensors`)}
          >
            Save to a file
          </button>
          {config.kind === "sae" && (
            <button
              type="button"
              disabled={state === "opening"}
              title="Its weights alone, as pnpm cli sae import takes them"
              onClick={() => void save(() => trainer.exportWeights(), `sae-step-${step}.safetensors`)}
            >
              Save the autoencoder
            </button>
          )}
        </div>
        <details>
          <summary>What is trained</summary>
          <ul class="small run-lines">
            {run.lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </details>
      </section>
    </>
  );
}

interface SliderProps {
  readonly id: string;
  readonly label: string;
  readonly value: number;
  readonly shown: string;
  readonly onValue: (value: number) => void;
}

/** Multiplies by powers of two, from a sixty-fourth to sixteen; the next step takes it. */
function FactorSlider({ id, label, value, shown, onValue }: SliderProps): VNode {
  const times = value === 1 ? "" : value > 1 ? `, ×${figure(value)}` : `, ÷${figure(1 / value)}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <output for={id}>
        {shown}
        {times}
      </output>
      <input
        id={id}
        type="range"
        min={-6}
        max={4}
        step={0.5}
        value={Math.log2(value)}
        aria-valuetext={`${shown}${times}`}
        onInput={(event) => onValue(2 ** event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

const nounOf = ({ config }: Run): string => (config.kind === "model" ? "model" : "autoencoder");

/** What firing costs, where the architecture has a price for it. */
function coefficientOf({ config }: Run): number | undefined {
  if (config.kind === "model") return undefined;
  const { sae } = config.plan;
  if (sae.architecture === "jumprelu") return sae.l0Coefficient ?? (sae.sparsity === "step" ? 1 : 0.5);
  return sae.architecture === "standard" || sae.architecture === "gated" ? (sae.l1Coefficient ?? 2) : undefined;
}

function savedText({ savedStep, savedAt, step }: Run): string {
  if (savedStep === undefined || savedStep < 0 || savedAt === undefined) return "not yet";
  const time = new Date(savedAt).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return savedStep === step ? `all of it, at ${time}` : `step ${count(savedStep)}, at ${time}`;
}
