import type { VNode } from "preact";
import { FactList } from "./fact_list.tsx";
import { speedFacts } from "./report.ts";
import type { StartedCall } from "./use_call.ts";

/** Measures how fast this GPU is, and the loaded model's writing. */
export function SpeedCard({ call, isReady }: { readonly call: StartedCall<"measureSpeed">; readonly isReady: boolean }): VNode {
  const { answer, progress, isRunning, error, start, stop } = call;
  return (
    <section class="card" aria-labelledby="speed">
      <h2 id="speed">Speed</h2>
      <p class="muted">Times matrix products, memory, launches, and writing with the loaded model.</p>
      <div class="diagnostics-run">
        {isRunning ? (
          <button type="button" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="button" disabled={!isReady} onClick={() => start({})}>
            {answer ? "Measure again" : "Measure"}
          </button>
        )}
        {isRunning && <span class="small muted">{progress ?? "starting"} …</span>}
      </div>
      {error && (
        <div class="notice bad" role="alert">
          {error}
        </div>
      )}
      {answer && (
        <div data-testid="speeds">
          <FactList facts={speedFacts(answer)} />
        </div>
      )}
    </section>
  );
}
