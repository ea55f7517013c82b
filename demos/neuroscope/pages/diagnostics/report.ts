import { engineNeeds, inBounds } from "@cursive/tensor/self_test";
import { count, shortBytes } from "../../app/format.ts";
import type { AdapterFacts, SaeFacts } from "../../engine/bench.ts";
import type { EngineStats, MeasuredSpeed, SelfTest } from "../../engine/diagnostics.ts";
import type { ModelFacts } from "../../engine/model_file.ts";

/** What is known of the browser. */
export interface BrowserFacts {
  readonly userAgent: string;
  readonly processors: number | undefined;
  readonly isSecure: boolean;
  /** What the browser has stored for the app, of what it may. */
  readonly storage: { readonly used: number; readonly quota: number } | undefined;
  /** JavaScript's own memory, where the browser tells. */
  readonly heapBytes: number | undefined;
}

/** Everything the report is about; what is not known is left out of it. */
export interface Diagnosis {
  readonly browser: BrowserFacts;
  readonly adapter: AdapterFacts | undefined;
  readonly model: ModelFacts | undefined;
  readonly sae: SaeFacts | undefined;
  readonly stats: EngineStats | undefined;
  readonly test: SelfTest | undefined;
  readonly speed: MeasuredSpeed | undefined;
  /** What went wrong, in the app's words. */
  readonly failure: string | undefined;
}

/** A name and what is found, for tables and for the report. */
export type Fact = readonly [name: string, found: string];

/** Limits that decide what runs, each with what the kernels need. */
export function limitRows(
  limits: Readonly<Record<string, number>>,
): { name: string; found: number; needed: number | undefined; isShort: boolean }[] {
  const needs: Readonly<Record<string, number>> = engineNeeds;
  const names = ["maxBufferSize", "maxStorageBufferBindingSize", ...Object.keys(needs)];
  return names.map((name) => {
    const [found, needed] = [limits[name] ?? 0, needs[name]];
    return { name, found, needed, isShort: needed !== undefined && found < needed };
  });
}

/** The families of kernels: what each is made for. */
const kernelNames: Readonly<Record<string, string>> = {
  portable: "portable: for any adapter",
  panel: "panel: made for software adapters",
  tile: "tile: made for hardware",
};

/** A limit as people read it: sizes in bytes, small ones exactly. */
export function limitText(name: string, value: number): string {
  if (!/Size$/.test(name)) return count(value);
  return value < 1e5 ? `${count(value)} B` : shortBytes(value);
}

/** What the adapter is, in words. */
export function adapterFacts({ name, isSoftware, subgroupSize, family, features }: AdapterFacts): Fact[] {
  return [
    ["name", name],
    ["kind", isSoftware ? "software: computes on the processor" : "hardware"],
    ["features", features.join(", ") || "none beyond the necessary"],
    ["subgroups", subgroupSize > 0 ? `of ${subgroupSize}` : "not of one size"],
    ["kernels", kernelNames[family] ?? family],
  ];
}

/** What the engine holds, in words. */
export function memoryFacts(stats: EngineStats, { storage, heapBytes }: BrowserFacts): Fact[] {
  return [
    ["GPU, in use", shortBytes(stats.bytesInUse)],
    ["GPU, kept ready", shortBytes(stats.bytesPooled)],
    ["GPU, most in use", shortBytes(stats.peakBytes)],
    ["pipelines", count(stats.pipelines)],
    ["launches so far", count(stats.dispatches)],
    ...(heapBytes === undefined ? [] : [["page's memory", shortBytes(heapBytes)] as const]),
    ...(storage ? [["stored", `${shortBytes(storage.used)} of ${shortBytes(storage.quota)}`] as const] : []),
  ];
}

/** How fast it is, in words. */
export function speedFacts({ products, memory, latency, writing }: MeasuredSpeed): Fact[] {
  return [
    ...products.map(({ shape, gigaflops }): Fact => [`matmul ${shape}`, `${digits(gigaflops)} GFLOP/s`]),
    ["memory", `${digits(memory.copy)} GB/s copied, ${digits(memory.sum)} GB/s added up`],
    ["launches", `${digits(latency.launch)} µs each, ${digits(latency.capturedLaunch)} µs in a captured step`],
    ["readback", `${digits(latency.readback)} ms`],
    ["writing", `${digits(writing.tokensPerSecond)} tokens/s, the first after ${digits(1000 * writing.secondsToFirst)} ms`],
  ];
}

/** What the self-test comes to, in a sentence. */
export function verdict({ ops, repeated, seconds }: SelfTest): { readonly isRight: boolean; readonly text: string } {
  const wrong = ops.filter(({ outcome }) => !(outcome.worst !== null && outcome.worst <= 1));
  const differs = typeof repeated === "string" || repeated.differingAgain + repeated.differingEagerly > 0;
  const cases = ops.reduce((sum, op) => sum + op.cases, 0);
  const took = `in ${seconds.toFixed(0)} s`;
  if (wrong.length > 0) return { isRight: false, text: `Wrong results in ${wrong.map(({ name }) => name).join(", ")}, ${took}.` };
  if (typeof repeated === "string") return { isRight: false, text: `Training steps fail: ${repeated}` };
  if (differs) return { isRight: false, text: `The same training steps gave other bits the second time, ${took}.` };
  return {
    isRight: true,
    text: `This GPU computes right: ${cases} comparisons with float64 within their bounds, and the same bits again, ${took}.`,
  };
}

/** The whole diagnosis as plain text, to paste where people ask for help. */
export function reportText({ browser, adapter, model, sae, stats, test, speed, failure }: Diagnosis, date: Date): string {
  const section = (title: string, facts: readonly Fact[]): string => {
    const width = Math.max(...facts.map(([name]) => name.length));
    return [title, ...facts.map(([name, found]) => `  ${name.padEnd(width)}  ${found}`)].join("\n");
  };
  const parts: (string | undefined)[] = [
    `Neuroscope, ${date.toISOString()}`,
    failure && section("Failure", [["says", failure]]),
    section("Browser", [
      ["agent", browser.userAgent],
      ["secure", browser.isSecure ? "yes" : "no"],
      ["processors", browser.processors === undefined ? "not told" : String(browser.processors)],
    ]),
    adapter && section("Adapter", adapterFacts(adapter)),
    adapter &&
      section(
        "Limits",
        limitRows(adapter.limits).map(({ name, found, needed, isShort }) => [
          name,
          `${found}${needed === undefined ? "" : `, ${needed} needed`}${isShort ? ": TOO LITTLE" : ""}`,
        ]),
      ),
    model &&
      section("Model", [
        ["name", model.name],
        [
          "size",
          `${model.config.nLayer} layers, ${model.config.nHead} heads, width ${model.config.nEmbd}, ${count(model.parameters)} parameters`,
        ],
        ["steps", count(model.step)],
      ]),
    sae && section("Autoencoder", [["name", `${sae.name}: ${sae.architecture}, ${count(sae.features)} features of ${sae.hook}`]]),
    test &&
      section(`Self-test, ${test.family} kernels: ${verdict(test).text}`, [
        ...test.ops.map(({ name, outcome }): Fact => [name, outcome.failure ?? inBounds(outcome)]),
      ]),
    speed && section("Speed", speedFacts(speed)),
    stats && section("Memory", memoryFacts(stats, browser)),
  ];
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

/** Two digits that count: `0.071`, `3.4`, `117`. */
export function digits(value: number): string {
  if (value >= 1e4) return count(value);
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2);
}
