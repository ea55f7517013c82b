import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { useBench } from "../../app/bench_context.ts";
import { keepStorage } from "../../app/keep_storage.ts";
import { route, setParams } from "../../app/route.ts";
import type { SaeLook } from "../../engine/train_probe.ts";
import type { Look } from "../../engine/train_session.ts";
import { CurveChart, type Line } from "./curve_chart.tsx";
import { WatchedFeature } from "./feature_ink.tsx";
import { FeatureMap } from "./feature_map.tsx";
import { ModelForm } from "./model_form.tsx";
import { RunPanel } from "./run_panel.tsx";
import { SaeForm } from "./sae_form.tsx";
import { SampleSheet } from "./sample_sheet.tsx";
import { SavedRunsList } from "./saved_runs_list.tsx";
import { trainer } from "./trainer.ts";

/** A model or an autoencoder learns, in this tab, while one watches. */
export function TrainPage(): VNode {
  const bench = useBench();
  const status = trainer.status.value;
  const runs = trainer.runs.value ?? [];
  const problem = useSignal("");
  const { state, run, failure, stage } = status;
  const isBusy = state === "opening" || state === "running";
  const kind = route.value.params.get("kind") === "sae" ? "sae" : "model";
  useEffect(() => {
    trainer.connect().catch(() => {}); // the status says it
  }, []);
  const begin = async (start: () => Promise<void>): Promise<void> => {
    problem.value = "";
    void keepStorage();
    try {
      await start();
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <div class="train" data-train={state}>
      <h1>Train</h1>
      <p class="lead">
        {run
          ? "It learns in this tab, on your GPU. The other pages can be used meanwhile."
          : "Train a model that writes, or an autoencoder that takes a model's activations apart. Everything stays in this tab."}
      </p>
      {failure && (
        <div class={`notice ${failure.kind === "lost" || failure.kind === "storage" ? "warn" : "bad"}`} role="alert">
          <p>{failure.text}</p>
          {!run && failure.id !== undefined && (
            <button type="button" onClick={() => void trainer.open(failure.id!)}>
              Open what is saved
            </button>
          )}
        </div>
      )}
      {problem.value && (
        <div class="notice bad" role="alert">
          <p>{problem.value}</p>
        </div>
      )}
      {!trainer.isKept.value && (
        <p class="notice warn">This browser keeps nothing beyond the tab, as private windows do: save runs to files.</p>
      )}
      <div class="train-columns">
        <div class="train-side">
          {run ? (
            <RunPanel status={status} run={run} />
          ) : state === "opening" ? (
            <section class="card" aria-busy="true">
              <h2>Getting ready</h2>
              <p class="muted">{stage ?? "opening the GPU"}</p>
            </section>
          ) : (
            <section class="card" aria-label="A new run">
              <fieldset class="kind-switch">
                <legend class="visually-hidden">What is trained</legend>
                <button type="button" aria-pressed={kind === "model"} onClick={() => setParams({ kind: undefined })}>
                  Model
                </button>
                <button type="button" aria-pressed={kind === "sae"} onClick={() => setParams({ kind: "sae" })}>
                  Autoencoder
                </button>
              </fieldset>
              {kind === "model" ? (
                <ModelForm
                  isBusy={isBusy}
                  onStart={(config, bank) => void begin(() => trainer.start(config, bank && { bank: bank.bytes }))}
                />
              ) : (
                <SaeForm
                  isBusy={isBusy}
                  onStart={(config) => void begin(async () => trainer.start(config, { model: (await bench.modelFile()).bytes }))}
                />
              )}
            </section>
          )}
        </div>
        <div class="train-main">
          {run && <RunCharts columns={run.columns} kind={run.config.kind} />}
          {run && <RunLook look={trainer.look.value} kind={run.config.kind} />}
          <SavedRunsList runs={runs} current={run?.id} isBusy={isBusy} />
        </div>
      </div>
    </div>
  );
}

function RunCharts({ columns, kind }: { readonly columns: readonly string[]; readonly kind: "model" | "sae" }): VNode {
  const curves = trainer.curves.value;
  const line = (label: string, name: string, more: Omit<Partial<Line>, "column" | "label">): Line => ({
    ...{ label, column: columns.indexOf(name), colour: "--c0" },
    ...more,
  });
  if (kind === "model") {
    const lines = [
      line("training", "loss", { smooth: 0.95 }),
      line("held-out words", "heldOut", { colour: "--c1", isSparse: true }),
      line("held-out words, ink without padding", "heldOutInk", { colour: "--c2", isSparse: true }),
    ];
    return (
      <section class="card charts" aria-label="Curves">
        <CurveChart title="Loss" unit="nats a token" curves={curves} lines={lines} />
      </section>
    );
  }
  const penalty = Number.isFinite(curves.rows.at(-1)?.[columns.indexOf("penalty")]);
  return (
    <section class="card charts many" aria-label="Curves">
      <CurveChart title="Squared error" unit="a row" curves={curves} lines={[line("mean ‖x̂ − x‖²", "mse", { smooth: 0.9 })]} isLog />
      <CurveChart
        title="Variance unexplained"
        unit="of a batch"
        curves={curves}
        lines={[line("FVU", "fvu", { colour: "--c1", smooth: 0.9 })]}
        isLog
      />
      <CurveChart title="Sparsity" unit="features a row" curves={curves} lines={[line("L0", "l0", { colour: "--c2", smooth: 0.9 })]} />
      <CurveChart title="Dead features" unit="silent for long" curves={curves} lines={[line("dead", "dead", { colour: "--c3" })]} />
      {penalty && (
        <CurveChart
          title="Penalty"
          unit="with its coefficient"
          curves={curves}
          lines={[line("L1 or L0 loss", "penalty", { colour: "--c4", smooth: 0.9 })]}
        />
      )}
    </section>
  );
}

function RunLook({ look, kind }: { readonly look: Look | undefined; readonly kind: "model" | "sae" }): VNode {
  if (kind === "model") return <SampleSheet look={look?.kind === "model" ? look : undefined} />;
  return (
    <section class="card feature-looks" aria-label="Features">
      <h2>Features</h2>
      {look?.kind === "sae" ? <FeaturePanel look={look} /> : <p class="muted">They are shown after the first steps.</p>}
    </section>
  );
}

function FeaturePanel({ look }: { readonly look: SaeLook }): VNode {
  // What was asked for, until the look at it has come: keys come faster.
  const asked = useSignal<number | null>(null);
  if (asked.value === look.feature.index) asked.value = null;
  const watch = (feature: number): void => {
    asked.value = feature;
    trainer.watch(feature).catch(() => {}); // the status says it
  };
  return (
    <>
      <FeatureMap look={look} chosen={asked.value ?? look.feature.index} onFeature={watch} />
      <WatchedFeature look={look} onFeature={watch} />
    </>
  );
}
