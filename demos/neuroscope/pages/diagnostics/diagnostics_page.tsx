import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { showToast } from "../../app/announce.ts";
import { useBench } from "../../app/bench_context.ts";
import { useShortcuts } from "../../app/keys.ts";
import { FactList } from "./fact_list.tsx";
import { adapterFacts, limitRows, limitText, memoryFacts, reportText } from "./report.ts";
import { SelfTestCard } from "./self_test_card.tsx";
import { SpeedCard } from "./speed_card.tsx";
import { useCall } from "./use_call.ts";
import { useMachine } from "./use_machine.ts";

/** What computes here, whether it computes right, how fast, and what it holds; all of it as text to send to others. */
export function DiagnosticsPage(): VNode {
  const bench = useBench();
  const status = bench.status.value;
  const adapter = bench.adapter.value;
  const isReady = status.kind === "ready";
  const test = useCall("selfTest");
  const speed = useCall("measureSpeed");
  const { browser, stats } = useMachine();
  const [shown, setShown] = useState<string | undefined>(undefined);

  const report = (): string =>
    reportText(
      {
        ...{ browser, adapter, stats, model: bench.model.value, sae: bench.sae.value, test: test.answer, speed: speed.answer },
        failure: status.kind === "failed" ? `${status.failure.kind}: ${status.failure.detail}` : undefined,
      },
      new Date(),
    );
  const copy = async (): Promise<void> => {
    const text = report();
    try {
      await navigator.clipboard.writeText(text);
      showToast("The report is in the clipboard");
    } catch {
      setShown(text); // where the browser does not let pages write there
    }
  };
  useShortcuts("Diagnostics", [
    { key: "t", does: "Run the self-test", run: () => isReady && !test.isRunning && test.start({}) },
    { key: "m", does: "Measure the speed", run: () => isReady && !speed.isRunning && speed.start({}) },
    { key: "y", does: "Copy the report", run: () => void copy() },
  ]);

  return (
    <div class="diagnostics-page">
      <div class="diagnostics-head">
        <h1>Diagnostics</h1>
        <div class="diagnostics-run">
          <button type="button" onClick={() => void copy()}>
            Copy report
          </button>
          <button type="button" aria-expanded={shown !== undefined} onClick={() => setShown(shown === undefined ? report() : undefined)}>
            {shown === undefined ? "Show report" : "Hide report"}
          </button>
        </div>
      </div>
      {shown !== undefined && (
        <textarea
          class="diagnostics-report"
          readOnly
          rows={16}
          aria-label="The report as text"
          value={shown}
          onFocus={(event) => event.currentTarget.select()}
        />
      )}
      <div class="diagnostics-columns">
        <div>
          <SelfTestCard call={test} isReady={isReady} />
          <section class="card" aria-labelledby="memory">
            <h2 id="memory">Memory</h2>
            {stats ? <FactList facts={memoryFacts(stats, browser)} /> : <p class="muted">known once the engine is ready</p>}
          </section>
        </div>
        <div>
          <SpeedCard call={speed} isReady={isReady} />
          <section class="card" aria-labelledby="adapter">
            <h2 id="adapter">Adapter</h2>
            {adapter ? <FactList facts={adapterFacts(adapter)} /> : <p class="muted">{isReady ? "none" : "not open yet"}</p>}
          </section>
          {adapter && (
            <section class="card" aria-labelledby="limits">
              <h2 id="limits">Limits</h2>
              <div class="diagnostics-scroll">
                <table class="diagnostics-table">
                  <thead>
                    <tr>
                      <th scope="col">Limit</th>
                      <th scope="col" class="is-number">
                        Here
                      </th>
                      <th scope="col" class="is-number">
                        Needed
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {limitRows(adapter.limits).map(({ name, found, needed, isShort }) => (
                      <tr key={name} class={isShort ? "is-wrong" : ""}>
                        <th scope="row">{wordsOf(name)}</th>
                        <td class="is-number">{limitText(name, found)}</td>
                        <td class="is-number">{needed === undefined ? "by model" : limitText(name, needed)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            </section>
          )}
        </div>
      </div>
    </div>
  );
}

/** `maxBufferSize` as people read it: `buffer size`. */
function wordsOf(name: string): string {
  return name
    .replace(/^max/, "")
    .replace(/([A-Z])/g, " $1")
    .trim()
    .toLowerCase();
}
