import type { VNode } from "preact";
import type { Stage, StageName } from "../engine/loading.ts";
import { shortBytes } from "./format.ts";

interface Props {
  readonly stages: readonly Stage[];
}

const names: Readonly<Record<StageName, string>> = {
  engine: "GPU",
  model: "model",
  sae: "autoencoder",
  kernels: "shaders",
};

/** What is being loaded, in its order, with the bytes. */
export function LoadingStages({ stages }: Props): VNode {
  return (
    <ol class="stages" aria-label="Loading">
      {stages.map((stage) => (
        <li key={stage.name} data-state={stage.state}>
          <span>{names[stage.name]}</span> <span class="stage-detail">{detailOf(stage)}</span>
        </li>
      ))}
    </ol>
  );
}

function detailOf({ name, state, bytes, total, milliseconds }: Stage): string {
  if (state === "missing") return "none";
  if (state === "waiting") return "";
  if (bytes !== undefined && state === "running") return total ? `${shortBytes(bytes)} of ${shortBytes(total)}` : shortBytes(bytes);
  if (bytes !== undefined) return shortBytes(bytes);
  if (milliseconds !== undefined) return `${(milliseconds / 1000).toFixed(1)} s`;
  return name === "kernels" ? "compiling" : name === "engine" ? "asking" : "";
}
