import type { VNode } from "preact";
import { sessionOf } from "../pages/write/write_session.ts";
import { useBench } from "./bench_context.ts";
import { isHelpOpen } from "./help_dialog.tsx";
import { ModelPicker } from "./model_picker.tsx";
import { linkTo } from "./route.ts";
import { nextTheme, theme } from "./theme.ts";

/** The app's name, the model, what computes, and the switches that hold everywhere. */
export function Header(): VNode {
  return (
    <header class="app-header">
      <a class="app-name" href={linkTo("write")}>
        <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
          <path d="M4 20c3-1 6-11 10-11 4 0-3 12 1 12 3 0 4-9 7-9s0 8 3 8c1.5 0 2.5-1 3-2" />
        </svg>
        Neuroscope
      </a>
      <div class="app-chips">
        <ModelPicker />
        <BackendChip />
      </div>
      <div class="app-switches">
        <button type="button" class="quiet" onClick={nextTheme} title="Change between the system's theme, light and dark">
          <span aria-hidden="true">{theme.value === "dark" ? "☾" : theme.value === "light" ? "☀" : "◐"}</span>
          <span class="visually-hidden">Theme: {theme}</span>
        </button>
        <button
          type="button"
          class="quiet"
          title="Keys and help"
          onClick={() => {
            isHelpOpen.value = true;
          }}
        >
          <span aria-hidden="true">?</span>
          <span class="visually-hidden">Help</span>
        </button>
      </div>
    </header>
  );
}

/** What computes: hardware, or the processor in its place, then with how fast that wrote last. */
function BackendChip(): VNode | null {
  const bench = useBench();
  const adapter = bench.adapter.value;
  const status = bench.status.value;
  const speed = sessionOf(bench).speed.value;
  if (status.kind === "failed") return <span class="chip bad">WebGPU: not running</span>;
  if (!adapter) return <span class="chip">WebGPU: starting</span>;
  if (adapter.isSoftware)
    return (
      <span class="chip warn" title={`${adapter.name}. Everything works, slowly: no GPU takes part.`}>
        software WebGPU
        {speed && <span class="chip-speed">, {Math.round(speed.tokensPerSecond)} tokens/s</span>}
      </span>
    );
  return <span class="chip good" title={adapter.features.join(", ")}>{`WebGPU: ${adapter.name}`}</span>;
}
