import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runFields } from "./config/run_schema.ts";
import { listenForInterrupt } from "./run/interrupt.ts";
import { lastStateHash, type TemporaryFolder, temporaryFolder } from "./testing/mini.ts";
import { runCli, startCli } from "./testing/run_cli.ts";
import { runInProcess as run } from "./testing/run_in_process.ts";

let folder: TemporaryFolder;
let runs: string[];
beforeEach(() => {
  folder = temporaryFolder();
  runs = ["--runs", join(folder.path, "runs")];
});
afterEach(() => folder[Symbol.dispose]());

const runPath = (name = "tiny-001"): string => join(folder.path, "runs", name);

describe("the command line", () => {
  it("refuses unknown commands, options, keys and values in one line with the nearest name, exit code 2", async () => {
    const cases: [string[], string][] = [
      [["trian"], "error: unknown command 'trian' (Did you mean train?)\n"],
      [["runs", "lst"], "error: unknown command 'lst' (Did you mean ls?)\n"],
      [["train", "--stepz", "3"], "error: unknown option '--stepz' (Did you mean --steps?)\n"],
      [["train", "--set", "lr=3"], 'error: Expected a key of the configuration but found "lr": the nearest is training.lr\n'],
      [
        ["train", "--lr", "fast"],
        "error: option '--lr <rate>' argument 'fast' is invalid. Expected --lr to be a number above 0 but found \"fast\"\n",
      ],
      [
        ["train", "--config", "none.json"],
        "error: Expected a configuration file at none.json but found: ENOENT: no such file or directory, open 'none.json'\n",
      ],
      [
        ["train", "--resume", "--lr", "1", ...runs],
        "error: Expected no --lr with --resume but found it: a run goes on with its own configuration; start a new one to change it\n",
      ],
      [["train", "--resume", ...runs], `error: Expected a run in ${runs[1]} but found no 'last': there are none yet\n`],
      [
        ["train", "--name", "../x"],
        'error: option \'--name <name>\' argument \'../x\' is invalid. Expected a name of letters, digits, ".", "_" and "-" but found "../x".\n',
      ],
    ];
    for (const [args, stderr] of cases) expect(await run(...args)).toEqual({ code: 2, stdout: "", stderr });
  });

  it("says its version", async () => {
    const { code, stdout } = await runCli(["--version"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it("tells programs of errors too, with --json", async () => {
    const { stdout } = await run("train", "--json", "--set", "lr=3");
    expect(JSON.parse(stdout)).toMatchObject({ event: "error", exitCode: 2 });
  });

  it("refuses damaged word banks in one line", async () => {
    const bank = join(folder.path, "bank.zip");
    for (const bytes of ["PK\u0003\u0004 and then nothing", "{}", "[1]", ""]) {
      writeFileSync(bank, bytes);
      const { code, stderr } = await run("train", "--data", bank, "--quiet", ...runs);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^error: Expected a word bank \(zip or JSON\) at .*bank\.zip but found: .+\n$/);
      expect(existsSync(runs[1]!)).toBe(false);
    }
  });

  it("teaches by examples in the help of every command", async () => {
    for (const command of [["train"], ["sample"], ["runs"], ["config"]]) {
      const { code, stdout } = await run(...command, "--help");
      expect(code).toBe(0);
      expect(stdout).toContain("Examples:\n  pnpm cli ");
    }
  });
});

describe("config", () => {
  it("lists every preset and key, and shows a whole configuration that is itself a configuration file", async () => {
    const { stdout } = await run("config", "ls");
    for (const { path } of runFields) expect(stdout).toContain(` ${path} `);
    const shown = await run("config", "show", "small", "--set", "training.lr=1e-3");
    expect(shown.stderr).toBe("training.lr  0.005 → 0.001 (--set)\n");
    const file = join(folder.path, "shown.json");
    writeFileSync(file, shown.stdout);
    const again = await run("config", "show", file, "--quiet");
    expect(again.stdout).toBe(shown.stdout);
    expect((await run("config", "validate", file)).code).toBe(0);
  });

  it("says everything that is wrong with a file", async () => {
    writeFileSync(folder.config, '{"steps":0,"modle":{}}');
    const { code, stdout, stderr } = await run("config", "validate", folder.config);
    expect(code).toBe(2);
    expect(stdout.trim().split("\n")).toHaveLength(2);
    expect(stderr).toContain("found 2 faults in");
  });

  it("has every key in docs/cli.md", () => {
    const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8").replace(/ +/g, " "); // its columns are aligned
    for (const { path, field } of runFields) expect(page).toContain(`| \`${path}\` | ${field.doc} | ${field.expects} |`);
  });
});

describe("train", () => {
  const train = (...args: string[]): string[] => ["train", "--config", folder.config, ...runs, ...args];

  it("speaks to people in plain lines off a terminal, to programs with --json, and not at all with --quiet", async () => {
    const quiet = await runCli(train("--quiet"));
    expect(quiet).toEqual({ code: 0, stdout: "", stderr: "" });
    const { code, stdout, stderr } = await runCli(train("--json"), { env: { ...process.env, FORCE_COLOR: "1" } });
    expect(code).toBe(0);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; step: number });
    expect([events[0]!.event, events.at(-1)!.event]).toEqual(["start", "end"]);
    expect(events.filter(({ event }) => event === "step").map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(stderr).toContain("done     12 steps");
    expect(stderr).not.toContain("\u001B");
  });

  it("says what a run would take, and leaves nothing", async () => {
    const { code, stdout } = await runCli(train("--dry-run", "--json", "--timed-steps", "2"));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ event: "estimate", tokensPerStep: 32, parameters: 4664 });
    expect(existsSync(runs[1]!)).toBe(false);
  });

  it("saves at Ctrl-C, exits with 130, and goes on bit for bit; a second process is told to keep out", async () => {
    const settings = ["--set", "training.evaluateEvery=100000", "--set", "checkpoints.everySteps=500"];
    const cli = startCli(train("--json", "--steps", "100000", ...settings));
    await new Promise<void>((resolve) => cli.onLine((line) => line.startsWith('{"event":"step"') && resolve()));
    const second = await runCli(["train", "--resume", "1", ...runs]);
    cli.process.kill("SIGINT");
    const { code, stdout, stderr } = await cli.ended;
    expect(second).toMatchObject({ code: 2, stdout: "" });
    expect(second.stderr).toBe(`error: Expected a run that nobody works on but found process ${cli.process.pid} at ${runPath()}\n`);
    const step = Number([...stdout.matchAll(/"event":"step","step":(\d+)/g)].at(-1)![1]);
    expect(code).toBe(130);
    expect(stderr).toContain(`interrupted at step ${step}; it is saved, \`train --resume tiny-001\` goes on`);
    const steps = String(step + 7);
    expect((await runCli(["train", "--resume", "last", "--steps", steps, "--quiet", ...runs])).code).toBe(0);
    expect((await runCli(train("--quiet", "--steps", steps, ...settings))).code).toBe(0);
    expect(lastStateHash(runPath())).toBe(lastStateHash(runPath("tiny-002")));
    expect((await runCli(["train", "--resume", ...runs])).stdout).toContain(`has finished: ${steps} steps`);
  });

  it("goes on longer with --steps, notes it in env.json, and refuses words that have changed since", async () => {
    expect((await runCli(train("--quiet"))).code).toBe(0);
    expect((await runCli(["train", "--resume", "1", "--steps", "20", "--quiet", ...runs])).code).toBe(0);
    expect(JSON.parse(readFileSync(join(runPath(), "status.json"), "utf8"))).toMatchObject({ state: "finished", step: 20 });
    const env = JSON.parse(readFileSync(join(runPath(), "env.json"), "utf8"));
    expect(env.resumed).toMatchObject([{ step: 12, node: process.version }]);
    writeFileSync(join(runPath(), "env.json"), JSON.stringify({ ...env, dataHash: "other" }));
    const changed = await runCli(["train", "--resume", "1", "--steps", "30", ...runs]);
    expect(changed).toMatchObject({
      code: 2,
      stderr: "error: Expected the words that tiny-001 began with but found others: its word bank has changed since\n",
    });
  });

  it("goes on from the previous checkpoint where the last is damaged, and says in one line where neither is whole", async () => {
    expect((await runCli(train("--quiet"))).code).toBe(0);
    const last = join(runPath(), "checkpoints/last.safetensors");
    truncateSync(last, 1000);
    const fallen = await runCli(["train", "--resume", "--steps", "13", ...runs]);
    expect(fallen.code).toBe(0);
    expect(fallen.stderr).toMatch(/last\.safetensors: Expected a header .*: going on from checkpoints\/previous\.safetensors, step \d+\n/);
    expect((await runCli(train("--quiet", "--steps", "13"))).code).toBe(0);
    expect(lastStateHash(runPath())).toBe(lastStateHash(runPath("tiny-002")));
    for (const name of ["last", "previous"]) writeFileSync(join(runPath(), `checkpoints/${name}.safetensors`), "rubbish");
    const lost = await runCli(["train", "--resume", "1", "--steps", "14", ...runs]);
    expect(lost.code).toBe(1);
    expect(lost.stderr.trim().split("\n")).toHaveLength(1);
    expect(lost.stderr).toContain("found none that can be used");
  });
});

describe("runs", () => {
  it("lists, shows, compares and removes, asking before", async () => {
    for (const lr of ["0.01", "0.02"])
      expect((await runCli(["train", "--config", folder.config, "--lr", lr, "--quiet", ...runs])).code).toBe(0);
    const list = await run("runs", "ls", ...runs);
    expect(list.stdout.trim().split("\n")).toHaveLength(3);
    expect(JSON.parse((await run("runs", "ls", "--json", ...runs)).stdout)).toMatchObject({
      runs: [{ name: "tiny-001", state: "finished", step: 12 }, { name: "tiny-002" }],
      saes: [],
    });
    expect((await run("runs", "show", "2", ...runs)).stdout).toContain("training.lr = 0.02");
    const { stdout } = await run("runs", "compare", "1", "last", "--json", ...runs);
    expect(JSON.parse(stdout).differing).toEqual([{ path: "training.lr", values: ["0.01", "0.02"] }]);
    expect(await run("runs", "rm", "1", ...runs)).toMatchObject({
      code: 2,
      stderr: "error: Expected --yes where nobody can be asked but found none\n",
    });
    expect((await run("runs", "rm", "1", "--yes", ...runs)).code).toBe(0);
    expect(readdirSync(join(folder.path, "runs"))).toEqual(["tiny-002"]);
    expect((await run("runs", "show", "1", ...runs)).stderr).toContain("the nearest are tiny-002");
  });
});

describe("listenForInterrupt()", () => {
  it("asks work to stop at the first signal, takes its echo for the same, and ends the process at the second", () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(1000);
    const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
    const said: string[] = [];
    const interruption = listenForInterrupt((text) => said.push(text));
    process.emit("SIGINT");
    expect(interruption.signal.aborted).toBe(true);
    expect(interruption.signal.reason).toMatchObject({ exitCode: 130 });
    process.emit("SIGINT"); // as when a whole process group was signalled
    expect(exit).not.toHaveBeenCalled();
    clock.mockReturnValue(1300);
    process.emit("SIGINT");
    expect(exit).toHaveBeenCalledWith(130);
    clock.mockRestore();
    interruption.stop();
    exit.mockRestore();
    expect(said).toHaveLength(1);
  });
});
