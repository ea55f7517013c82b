import { availableParallelism, cpus, loadavg } from "node:os";
import type { Finding } from "../finding.ts";

/** The processor, which software adapters compute on, and whether others are busy on it. */
export function checkProcessor(
  about: { model: string; cores: number; load: number } = {
    model: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    load: loadavg()[0]!,
  },
): Finding {
  const { cores, load } = about;
  const model = about.model.replace(/\s+/g, " ").trim();
  const isBusy = load > cores + 0.5;
  const found = `${cores} × ${model}, load ${load.toFixed(1)}${isBusy ? ": other programs are at work, and times below are too long" : ""}`;
  return {
    id: "machine.processor",
    name: "processor",
    status: isBusy ? "warn" : "ok",
    found,
    ...(isBusy && { fix: "top   # shows which; run this again when they are done" }),
    data: { model, cores, load },
  };
}
