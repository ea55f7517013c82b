import { existsSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { createRng } from "@cursive/tensor";
import { expect, it } from "vitest";
import { decodeCheckpoint } from "./run/checkpoint.ts";
import { isEvaluation, readMetrics } from "./run/metrics.ts";
import { readEventFolder, scalarsOf } from "./tensorboard/testing/read_events.ts";
import { lastStateHash, temporaryFolder } from "./testing/mini.ts";
import { runCli, startCli } from "./testing/run_cli.ts";

const KILLS = 30;

/** A checkpoint at every step or two, so that many kills fall into writing one. */
const settings = ["--set", "checkpoints.everySteps=2", "--set", "training.evaluateEvery=50", "--set", "samples.early=true", "--json"];

/** How a process is to be killed: so long after its start, after so many lines, or while it writes a checkpoint. */
interface Kill {
  readonly after: "start" | "lines" | "write";
  readonly amount: number;
}

it("loses nothing but the steps since the last checkpoint to kill -9 at 30 random moments", async () => {
  using folder = temporaryFolder();
  const parent = join(folder.path, "runs");
  const runs = ["--runs", parent];
  const rng = createRng(Date.now() % 2 ** 32, "kills");
  const draw = (): Kill => {
    const after = (["start", "lines", "lines", "write", "write"] as const)[rng.integer(5)]!;
    return { after, amount: after === "start" ? rng.integer(1000) : 1 + rng.integer(20) };
  };
  const run = join(parent, "tiny-001");
  let saved = 0;
  let steps = 200;
  let partial = 0;

  for (let kill = 0; kill < KILLS; ) {
    const isNew = !existsSync(join(run, "config.json"));
    const args = isNew
      ? ["train", "--config", folder.config, "--steps", String(steps), ...settings]
      : ["train", "--resume", "1", "--steps", String(steps), "--json"];
    const canWatch = existsSync(join(run, "checkpoints"));
    const how = draw();
    const { code, last } = await killed([...args, ...runs], { run, how: canWatch ? how : { ...how, after: "lines" } });
    saved = Math.max(saved, last);
    if (code === null) kill++;
    else steps += 200; // it came to its end first
    if (existsSync(join(run, "checkpoints/last.safetensors.partial"))) partial++;
    const path = join(run, "checkpoints/last.safetensors");
    if (existsSync(path)) expect(decodeCheckpoint(readFileSync(path), {}).step).toBeGreaterThanOrEqual(saved);
    else expect(saved).toBe(0);
  }
  expect((await runCli(["train", "--resume", "1", "--steps", String(steps), "--quiet", ...runs])).code).toBe(0);
  console.log(`${KILLS} kills over ${steps} steps, ${partial} while a checkpoint was written`);

  expect(
    (await runCli(["train", "--config", folder.config, "--steps", String(steps), "--quiet", ...settings.slice(0, -1), ...runs])).code,
  ).toBe(0);
  expect(lastStateHash(run)).toBe(lastStateHash(join(parent, "tiny-002")));
  const measured = async (name: string): Promise<object[]> =>
    (await readMetrics(join(parent, name, "metrics.jsonl"))).map((row) => (isEvaluation(row) ? row : { step: row.step, loss: row.loss }));
  const rows = await measured("tiny-001");
  expect(rows).toEqual(await measured("tiny-002"));
  expect(rows.flatMap((row) => ("loss" in row && "step" in row ? [row.step] : []))).toEqual(Array.from({ length: steps }, (_, i) => i + 1));

  const scalars = (row: object, name: string): [number, number][] => {
    const { step, [name]: value } = row as Record<string, number>;
    return value === undefined ? [] : [[step!, Math.fround(value)]];
  };
  const events = readEventFolder(join(run, "tensorboard")); // throws at a torn record
  expect(scalarsOf(events, "loss/train")).toEqual(rows.flatMap((row) => scalars(row, "loss")));
  expect(scalarsOf(events, "loss/test_real")).toEqual(rows.flatMap((row) => scalars(row, "testLossReal")));
}, 300_000);

/** Starts the command line and kills it. @returns Its exit code, null where it was killed, and the last step it said it had saved. */
async function killed(args: readonly string[], { run, how }: { run: string; how: Kill }): Promise<{ code: number | null; last: number }> {
  const cli = startCli(args);
  const stop = (): void => void cli.process.kill("SIGKILL");
  let lines = 0;
  let last = 0;
  cli.onLine((line) => {
    last = Number(/^{"event":"checkpoint","step":(\d+),.*}$/.exec(line)?.[1] ?? last);
    if (how.after === "lines" && ++lines === how.amount) stop();
  });
  if (how.after === "start") setTimeout(stop, how.amount);
  let writes = 0;
  const watcher =
    how.after === "write"
      ? watch(join(run, "checkpoints"), (_, name) => {
          if (name === "last.safetensors.partial" && ++writes === how.amount) stop();
        })
      : undefined;
  const { code } = await cli.ended;
  watcher?.close();
  return { code, last };
}
