import type { VNode } from "preact";
import type { Failure, FailureKind } from "../engine/failure.ts";

interface Props {
  readonly failure: Failure;
  readonly onRestart: () => void;
}

/** What each failure is called, what it means and what helps. */
const texts: Readonly<Record<FailureKind, { readonly title: string; readonly help: string; readonly restart?: string }>> = {
  insecure: {
    title: "This page is not a secure context",
    help: "Browsers offer WebGPU over https and from localhost only. Open the page over https, or serve it on this machine and open http://localhost.",
  },
  "no-webgpu": {
    title: "This browser has no WebGPU",
    help: "Chrome and Edge have it from version 113 on (Linux: 144), Safari from 26, Firefox from 141 on Windows and 145 on macOS. In an older one it may be a setting.",
  },
  "no-adapter": {
    title: "No usable GPU was found",
    help: "The browser has WebGPU but no adapter for it. Turn hardware acceleration on in its settings and start it again. In Chrome on Linux, chrome://flags/#enable-unsafe-webgpu allows more drivers, a software one too, and a Vulkan driver has to be installed.",
    restart: "Look again",
  },
  lost: {
    title: "The GPU was lost",
    help: "The driver was reset, the machine slept, or another program took the memory. What you typed and set is still here.",
    restart: "Start again",
  },
  memory: {
    title: "The GPU ran out of memory",
    help: "Write fewer words or fewer alternatives at a time, or open a smaller model; other tabs and programs may hold memory too.",
    restart: "Start again",
  },
  file: {
    title: "A file of the app is damaged",
    help: "Load the page anew; if that does not help, build the app again.",
    restart: "Load again",
  },
  network: {
    title: "A file of the app did not come",
    help: "Is the server still there? The page needs its own files and nothing else.",
    restart: "Load again",
  },
  other: { title: "The engine stopped", help: "This should not happen. What it said is below.", restart: "Start again" },
};

/** Why nothing can be computed, and what helps. */
export function FailureNotice({ failure, onRestart }: Props): VNode {
  const { title, help, restart } = texts[failure.kind];
  return (
    <section class="notice bad" role="alert" data-failure={failure.kind}>
      <h2>{title}</h2>
      <p>{help}</p>
      <details>
        <summary>What was reported</summary>
        <p class="detail">{failure.detail}</p>
      </details>
      {restart && (
        <button type="button" onClick={onRestart}>
          {restart}
        </button>
      )}
    </section>
  );
}
