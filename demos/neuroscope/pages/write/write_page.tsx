import type { VNode } from "preact";
import { useBench } from "../../app/bench_context.ts";
import { LoadingStages } from "../../app/loading_stages.tsx";

/** Text becomes ink. */
export function WritePage(): VNode {
  const status = useBench().status.value;
  return (
    <div class="write">
      <h1>Write</h1>
      {status.kind === "loading" && <LoadingStages stages={status.stages} />}
    </div>
  );
}
