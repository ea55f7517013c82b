import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inkSheet } from "@cursive/cursive-model";
import type { Environment } from "../run/environment.ts";
import type { MetricsRow } from "../run/metrics.ts";
import { samplesName } from "../run/samples.ts";
import type { RunStatus } from "../run/status.ts";
import { miniConfig } from "./mini.ts";

/** Options of {@link madeRun}. */
export interface MadeRunOptions {
  readonly name?: string;
  readonly steps?: number;
  readonly evaluateEvery?: number;
  /** Of the configuration, at dotted paths. */
  readonly values?: Readonly<Record<string, unknown>>;
  readonly status?: Partial<RunStatus>;
  readonly environment?: Partial<Environment>;
  /** What stands under the words of its sheets. */
  readonly captions?: readonly string[];
}

/** Writes a run's folder without training: losses that fall, a sheet of samples at each evaluation. @returns Its path. */
export function madeRun(parent: string, options: MadeRunOptions = {}): string {
  const { name = "made-001", steps = 20, evaluateEvery = 5, values = {}, captions = ["at", "in"] } = options;
  const path = join(parent, name);
  mkdirSync(join(path, "samples"), { recursive: true });
  const write = (file: string, content: unknown): void => writeFileSync(join(path, file), JSON.stringify(content));
  write("config.json", miniConfig({ steps, "training.evaluateEvery": evaluateEvery, ...values }));
  write("status.json", { state: "finished", step: steps, steps, pid: 1, updated: "2026-01-02T04:00:00.000Z", ...options.status });
  const environment: Environment = {
    started: "2026-01-02T03:04:05.000Z",
    seed: 42,
    dataHash: "0123456789abcdef",
    node: "v20.20.2",
    platform: "linux x64",
    cpu: "a processor, 2 cores",
    packages: { cursive: "0.1.0" },
    adapter: { name: "an adapter", vendor: "", architecture: "", isSoftware: true, kernels: "panel" },
    commit: null,
    resumed: [],
  };
  write("env.json", { ...environment, ...options.environment });
  const rows: MetricsRow[] = [];
  for (let step = 1; step <= steps; step++) {
    const loss = 1 + 4 / Math.sqrt(step) + 0.1 * Math.sin(12.9898 * step); // no two steps alike
    const milliseconds = step === 1 ? 20_000 : 50 + (step % 7);
    rows.push({
      step,
      loss,
      lr: 0.01 * 0.5 ** Math.floor((3 * step) / steps),
      milliseconds,
      tokensPerSecond: Math.round(32_000 / milliseconds),
    });
    if (step % evaluateEvery === 0) {
      rows.push({ step, testLoss: loss + 0.1, testLossReal: loss + 0.5 });
      const drawn = captions.map((caption, i) => ({ ink: wave(step, i), caption }));
      writeFileSync(join(path, samplesName(step)), inkSheet(drawn, { columns: 3, background: "white", scale: 300, smooth: true }));
    }
  }
  writeFileSync(join(path, "metrics.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}

/** A line that gets smoother with the steps. */
function wave(step: number, word: number): [number, number, number][] {
  return Array.from({ length: 60 }, (_, i) => {
    const wobble = (Math.sin(step * 7.1 + i * 2.3 + word) * 0.3) / Math.sqrt(step);
    return [i / 100, -0.1 * Math.abs(Math.sin(i / (4 + word))) + wobble, i % 20 === 19 ? 0 : 1];
  });
}
