import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { benchCase, type CaseOptions } from "./bench_case.ts";
import { parseCase } from "./cases.ts";
import type { Entrant } from "./contestants.ts";
import type { EngineName } from "./options.ts";

const program = fileURLToPath(new URL("./testing/fake_engine.mjs", import.meta.url));

/** An entrant that computes nothing; `options` say how it misbehaves. */
function fake(engine: EngineName, options: readonly string[] = [], fields: Partial<Entrant> = {}): Entrant {
  const mode = engine === "cursive" ? "captured" : "eager";
  const command = () => ({ command: process.execPath, args: [program, ...options] });
  return { engine, mode, label: `${engine} ${mode}`, versions: { known: "2.0" }, command, isOnWebGpu: true, ...fields };
}

const settings: CaseOptions = {
  repeats: 2,
  limit: 30,
  start: false,
  controls: [{ turn: async () => 5 }],
  say: () => {},
  signal: new AbortController().signal,
};

describe("benchCase", () => {
  it("gives a row an engine, with ratios to ours", async () => {
    const entrants = [fake("cursive", ["ms=10"]), fake("jax-js", ["ms=40"]), fake("pytorch-cpu", ["ms=5"], { isOnWebGpu: false })];
    const { rows, controls } = await benchCase(parseCase("matmul:1000"), entrants, settings);
    expect(rows.map(({ label, ms, ratio, gflops, hostMicroseconds }) => ({ label, ms, ratio, gflops, hostMicroseconds }))).toEqual([
      { label: "cursive captured", ms: 10, ratio: 1, gflops: 200, hostMicroseconds: 12 },
      { label: "jax-js eager", ms: 40, ratio: 4, gflops: 50, hostMicroseconds: 12 },
      { label: "pytorch-cpu eager", ms: 5, ratio: 0.5, gflops: 400, hostMicroseconds: null },
    ]);
    expect(rows[0]).toMatchObject({
      case: "matmul:1000",
      adapter: "fake",
      versions: { known: "2.0", fake: "1.0" },
      dispatches: 3,
      note: null,
    });
    expect(controls).toEqual([[[5, 5, 5, 5], [5, 5, 5, 5]]]); // biome-ignore format: rounds in a line
  });

  it("says nothing of the host's time where steps wait for what they computed", async () => {
    const { rows } = await benchCase(parseCase("token:1x10"), [fake("cursive", [], { mode: "cached" })], settings);
    expect(rows[0]).toMatchObject({ hostMicroseconds: null, note: null, ms: 100 });
  });

  it("goes on without engines that cannot, and says why", async () => {
    const entrants = [
      fake("cursive"),
      fake("jax-js", ["crash=start"]),
      fake("tfjs-webgpu", [], { unable: "not installed" }),
      fake("pytorch-cpu", ["fail=3"]), // in its second turn, after warming up in one go
    ];
    const { rows } = await benchCase(parseCase("sae:2x2"), entrants, settings);
    expect(rows.map(({ repeats, note }) => ({ repeats, note }))).toEqual([
      { repeats: 2, note: null },
      { repeats: 0, note: "Error: no such thing" },
      { repeats: 0, note: "not installed" },
      { repeats: 1, note: "failed in turn 3" },
    ]);
  });

  it("leaves out who has used up the time, and keeps the turns taken", async () => {
    const { rows } = await benchCase(parseCase("sae:2x2"), [fake("cursive", ["hang=3"])], { ...settings, limit: 6 });
    expect(rows[0]).toMatchObject({ repeats: 1, ms: 100, note: expect.stringMatching(/^not within \d s$/) });
  });

  it("notes results that differ", async () => {
    const entrants = [fake("cursive", ["loss=2"]), fake("jax-js", ["loss=2.5"])];
    const { rows } = await benchCase(parseCase("sae:2x2"), entrants, settings);
    expect(rows.map(({ note }) => note)).toEqual([null, "computed 2.5 where cursive captured computed 2"]);
  });

  it("measures starting when asked to", async () => {
    const said: string[] = [];
    const say = (text: string): void => void said.push(text);
    const { rows } = await benchCase(parseCase("sae:2x2"), [fake("cursive"), fake("jax-js")], { ...settings, say, start: true });
    for (const { startColdMilliseconds, startWarmMilliseconds } of rows) {
      expect(startColdMilliseconds).toBeGreaterThan(0);
      expect(startWarmMilliseconds).toBeGreaterThan(0);
    }
    const starts = said.filter((text) => text.includes(": start "));
    expect(starts.map((text) => /(cursive|jax-js).*(\d)\/3/.exec(text)?.slice(1).join(" "))).toEqual(
      ["cursive 1", "jax-js 1", "cursive 2", "jax-js 2", "cursive 3", "jax-js 3"], // in turns
    );
  });

  it("stops when interrupted", async () => {
    const controller = new AbortController();
    const say = (text: string): void => {
      if (text.includes("turn 1")) setTimeout(() => controller.abort(), 100);
    };
    const { rows } = await benchCase(parseCase("sae:2x2"), [fake("cursive", ["hang=2"])], { ...settings, say, signal: controller.signal });
    expect(rows[0]).toMatchObject({ ms: null, note: "interrupted" });
  });
});
