import { inBounds } from "@cursive/tensor/self_test";
import type { VNode } from "preact";
import type { ComparedOp } from "../../engine/diagnostics.ts";
import { verdict } from "./report.ts";
import type { StartedCall } from "./use_call.ts";

/** Runs the self-test, and shows each op's worst error as a share of its bound. */
export function SelfTestCard({ call, isReady }: { readonly call: StartedCall<"selfTest">; readonly isReady: boolean }): VNode {
  const { answer, progress, isRunning, error, start, stop } = call;
  const ops = answer?.ops ?? progress?.ops ?? [];
  const found = answer && verdict(answer);
  return (
    <section class="card" aria-labelledby="self-test">
      <h2 id="self-test">Self-test</h2>
      <p class="muted">
        Compares every kind of kernel with float64 on this GPU, and takes the same training steps twice. It takes some seconds, on a
        software adapter half a minute.
      </p>
      <div class="diagnostics-run">
        {isRunning ? (
          <button type="button" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="button" class="primary" disabled={!isReady} onClick={() => start({})}>
            {answer ? "Run it again" : "Run the self-test"}
          </button>
        )}
        {isRunning && (
          <>
            <progress max={progress?.total ?? 1} value={progress?.done ?? 0} aria-label="Self-test" />
            <span class="small muted">{progress?.doing ?? "opening a device"}</span>
          </>
        )}
      </div>
      {error && (
        <div class="notice bad" role="alert">
          {error}
        </div>
      )}
      {found && (
        <p class={`notice ${found.isRight ? "good" : "bad"}`} role="status" data-testid="verdict">
          {found.text}
        </p>
      )}
      {ops.length > 0 && (
        <div class="diagnostics-scroll">
          <table class="diagnostics-table">
            <caption class="visually-hidden">Ops, and their worst errors</caption>
            <thead>
              <tr>
                <th scope="col">Op</th>
                <th scope="col" class="is-number">
                  Cases
                </th>
                <th scope="col">Worst error, as a share of its bound</th>
              </tr>
            </thead>
            <tbody>
              {ops.map((op) => (
                <OpRow key={op.id} op={op} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function OpRow({ op: { name, cases, outcome } }: { readonly op: ComparedOp }): VNode {
  const { worst, failure } = outcome;
  const isRight = worst !== null && worst <= 1;
  return (
    <tr class={isRight ? "" : "is-wrong"}>
      <th scope="row">{name}</th>
      <td class="is-number">{cases}</td>
      <td>
        <span class="diagnostics-bar" aria-hidden="true">
          <i style={{ width: `${100 * Math.min(1, worst ?? 1)}%` }} />
        </span>
        {failure ?? inBounds(outcome)}
        {isRight ? "" : ", wrong"}
      </td>
    </tr>
  );
}
