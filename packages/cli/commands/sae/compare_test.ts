import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSae } from "@cursive/sae";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeSae } from "../../sae/save_sae.ts";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../../testing/mini.ts";
import { type Ended, startCli } from "../../testing/run_cli.ts";
import { runInProcess } from "../../testing/run_in_process.ts";

let device: Device;
let parent: TemporaryFolder;
const at = (...parts: string[]): string => join(parent.path, ...parts);

beforeAll(async () => {
  device = await openDevice();
  parent = temporaryFolder();
  const config = miniConfig({ "training.evaluation.batches": 2, "training.evaluation.batchSize": 4 });
  const folder = await makeRunFolder(at("runs"), { config, device });
  await trainMini(config, { device, folder });
  await folder.release();
  const write = async (
    run: string,
    members: Record<string, { k?: number; seed?: number; dSae?: number; dIn?: number; hook?: string }>,
  ): Promise<void> => {
    mkdirSync(at("runs/saes", run), { recursive: true });
    writeFileSync(at("runs/saes", run, "config.json"), "{}");
    for (const [file, { k = 3, seed = 1, dSae = 16, dIn = 8, hook = "blocks.0.hook_mlp_out" }] of Object.entries(members)) {
      const sae = createSae({ architecture: "topk", dIn, dSae, k, seed });
      const origin = { hook, checkpoint: folder.file("checkpoints/best.safetensors"), run: "mini-001", trainedBy: run, steps: 1, rows: 1 };
      writeFileSync(at("runs/saes", run, `${file}.safetensors`), encodeSae(await sae.stateDict(), { config: sae.config as never, origin }));
    }
  };
  await write("one-001", { sae: {} });
  await write("grid-002", { "sae-k-2": { k: 2, seed: 2 }, "sae-k-4": { k: 4, dSae: 24 } });
  await write("post-003", { sae: { dIn: 32, dSae: 40, hook: "blocks.0.mlp.hook_post" } });
  await write("wrong-004", { sae: { dIn: 9 } });
});
afterAll(() => {
  parent[Symbol.dispose]();
  device.destroy();
});

const compare = (...args: string[]): Promise<Ended> => runInProcess("sae", "compare", "--runs", at("runs"), ...args);

describe("sae compare", () => {
  it("has the figures of sae eval for each, and MMCS both ways", async () => {
    const { code, stdout } = await compare("1", "2", "--json");
    expect(code).toBe(0);
    const { saes } = JSON.parse(stdout);
    expect(saes.map(({ name }: { name: string }) => name)).toEqual(["one-001", "grid-002:k-2", "grid-002:k-4"]);
    const evaluation = await runInProcess("sae", "eval", "--runs", at("runs"), "2", "--name", "k-4", "--against", "1", "--json");
    const { cursive } = JSON.parse(evaluation.stdout);
    const [, , last] = saes;
    expect(last).toMatchObject({
      ...{ fve: cursive.reconstruction.fve, l0: cursive.reconstruction.l0, deltaCe: cursive.effect.real.sae.deltaCe },
      ...{ recovered: cursive.effect.real.recovered, dead: cursive.activity.dead, latents: 24 },
    });
    expect(last.mmcs).toEqual([cursive.against.mmcs, expect.anything(), null]);
    expect(saes[0].mmcs[2]).toEqual({ aInB: cursive.against.mmcs.bInA, bInA: cursive.against.mmcs.aInB });
  });

  it("writes a page by itself with the same figures, the reasons for what differs, and nothing that runs", async () => {
    const folder = at("runs/saes/grid-002/config.json");
    writeFileSync(folder, JSON.stringify({ training: { lr: 0.125, chunkRows: 64 }, data: { split: "test", tokens: ["theta", "pad"] } }));
    const { code, stdout } = await compare("1", "2:k-2", "--json", "--quiet", "--out", at("comparison.html"));
    writeFileSync(folder, "{}");
    expect(code).toBe(0);
    const page = readFileSync(at("comparison.html"), "utf8");
    for (const { name, fve, deltaCe, dead } of JSON.parse(stdout).saes) {
      expect(page).toContain(`</i>${name}</th>`);
      for (const { value, standardError } of [fve, deltaCe]) expect(page).toContain(`${value.toFixed(3)} ± ${standardError.toFixed(3)}`);
      expect(page).toContain(`${name}: ${dead} of 16 latents never fire`);
    }
    expect(page).toMatch(/<code>training\.lr<\/code><\/th><td class="n">-<\/td><td class="n">0\.125<\/td><td class="doc">A rate too low/);
    expect(page).toContain("Padding has no ink");
    expect(page).not.toContain("chunkRows"); // changes no result
    expect(page).not.toMatch(/<script|<link|https?:/);
    const style = page.match(/<style>([\s\S]*?)<\/style>/)![1]!;
    expect(page).toContain(`style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`);
  });

  it("tells people what differs and nothing that does not, a column each", async () => {
    const { code, stdout, stderr } = await compare("1", "2:k-2", "--quiet");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^ +one-001 +grid-002:k-2$/m);
    expect(stdout).toMatch(/^k +3 +2$/m);
    expect(stdout).toMatch(/^seed +1 +2$/m);
    expect(stdout).not.toMatch(/^(architecture|dIn|dSae|hook)/m);
    expect(stdout).toMatch(/^features a row \(L0\) +3\.00 ± 0\.00 +2\.00 ± 0\.00$/m);
    expect(stdout).toMatch(/^loss added, nats +-?\d\.\d{3} ± \d\.\d{3} +-?\d/m);
    expect(stdout).toMatch(/^MMCS in one-001 +· +0\.\d{3}$/m);
  });

  it("compares autoencoders of different hooks, whose features have no cosine", async () => {
    const { stdout } = await compare("1", "3", "--quiet");
    expect(stdout).toMatch(/^hook +blocks\.0\.hook_mlp_out +blocks\.0\.mlp\.hook_post$/m);
    expect(stdout).toMatch(/^MMCS in one-001 +· +another width$/m);
  });

  it("refuses in one line what it cannot compare", async () => {
    const cases: [string[], RegExp][] = [
      [[], /missing required argument 'saes'/],
      [["1"], /Expected at least two autoencoders to compare but found one-001 alone/],
      [["1", at("runs/saes/one-001/sae.safetensors")], /found one-001 alone/],
      [["1", "7"], /Expected a run in .*saes but found no '7': the nearest are /],
      [["1", "2:k-3"], /found no 'k-3': the nearest are k-2, k-4/],
      [["1", "4"], /wrong-004: Expected activations 9 wide but found blocks\.0\.hook_mlp_out, 8 wide/],
      [["1", "2", "--batchs", "1"], /unknown option '--batchs' \(Did you mean --batches\?\)/],
    ];
    for (const [args, stderr] of cases) {
      const found = await compare(...args);
      expect(found.stderr).toMatch(stderr);
      expect(found.code).toBe(2);
      expect(found.stderr.trim().split("\n")).toHaveLength(1);
    }
  });

  it("stops at Ctrl-C", async () => {
    const cli = startCli(["sae", "compare", "1", "2", "--runs", at("runs"), "--batches", "100000"]);
    await new Promise<void>((resolve) => cli.onLine((line) => line.includes("reading") && resolve()));
    cli.process.kill("SIGINT");
    expect(await cli.ended).toMatchObject({ code: 130 });
  });
});
