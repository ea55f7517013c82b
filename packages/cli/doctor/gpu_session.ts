import { fork } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Finding, groupOf } from "./finding.ts";
import type { Extent, Listener } from "./gpu_checks.ts";

/** What the process of the checks says. */
type Message = { readonly finding: Finding } | { readonly progress: string } | { readonly done: true };

/** Longest silence: a pipeline that takes longer than this to compile will not be waited for in training either. */
const SILENCE = 120_000;

/** What Dawn says at every start. */
const NOISE = /^Warning: maxDynamic|XDG_RUNTIME_DIR|^at \S+ \(/;

/** Checks the GPU in a process of its own. One that crashes or hangs is a finding. */
export async function checkGpuApart(
  extent: Extent,
  {
    emit,
    progress,
    module = new URL("gpu_process.ts", import.meta.url),
    silence = SILENCE,
  }: Listener & { readonly module?: URL; readonly silence?: number },
): Promise<void> {
  const child = fork(fileURLToPath(module), [JSON.stringify(extent)], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let [doing, errors] = ["starting", ""];
  let [isDone, isSilent, hasAdapter, hasTold] = [false, false, false, false];
  const giveUp = (): void => {
    isSilent = true;
    child.kill("SIGKILL");
  };
  /** Where there is no adapter, Dawn's own words may be the only hint. */
  const tellMessages = (): void => {
    const lines = said(errors);
    if (hasAdapter || hasTold || lines.length === 0) return;
    hasTold = true;
    emit({ id: "gpu.messages", name: "Dawn says", status: "note", found: lines.slice(0, 3).join("; ").slice(0, 400) });
  };
  let watch = setTimeout(giveUp, silence);
  child.stderr!.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  child.on("message", (message: Message) => {
    clearTimeout(watch);
    watch = setTimeout(giveUp, silence);
    if ("finding" in message) {
      hasAdapter ||= message.finding.id === "gpu.features";
      if (groupOf(message.finding) !== "gpu") tellMessages(); // with the rest of their group
      emit(message.finding);
    } else if ("progress" in message) {
      doing = message.progress;
      progress(doing);
    } else isDone = true;
  });
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal }));
    child.on("error", () => resolve({ code: 127, signal: null }));
  });
  clearTimeout(watch);
  if (isDone) return tellMessages();
  const how = isSilent ? `did not answer for ${silence / 1000} s` : `ended by ${signal ?? `code ${code}`}`;
  emit(ended({ doing, how, said: said(errors) }));
}

/** What a process wrote to standard error, without what Dawn says at every start, and without the places in Dawn's source. */
function said(errors: string): string[] {
  const lines = errors.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !NOISE.test(line));
}

function ended({ doing, how, said }: { doing: string; how: string; said: readonly string[] }): Finding {
  return {
    id: "gpu.process",
    name: "process",
    status: "fail",
    found: `the process of these checks ${how} while ${doing}${said.length > 0 ? `: ${said.at(-1)!.slice(0, 200)}` : ""}`,
    fix:
      process.platform === "linux"
        ? "CURSIVE_DRIVER=lavapipe pnpm cli doctor --download   # another driver; or update the GPU's"
        : "update the system and the GPU's driver",
    data: { doing, how },
  };
}
