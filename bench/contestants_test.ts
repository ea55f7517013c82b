import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Entrant, findEntrants } from "./contestants.ts";
import { parseOptions } from "./options.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cursive-pythons-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Probe {
  readonly torch: string;
  readonly blas?: string;
  readonly cuda?: boolean;
  readonly modes?: readonly string[];
}

/** A program that answers as a Python with such a torch would, or, without one, as a Python that has none. */
async function python(name: string, about?: Probe): Promise<string> {
  const path = join(folder, name);
  const reply = about ? { probe: { blas: "MKL", cuda: false, modes: ["eager", "sdpa", "compile"], ...about } } : { failed: "no torch" };
  await writeFile(path, `#!/bin/sh\necho '@bench ${JSON.stringify(reply)}'\nexit ${about ? 0 : 1}\n`, { mode: 0o755 });
  return path;
}

const places = { peers: "peers", program: "main.ts" };

async function found(args: readonly string[], usualPythons: readonly string[]): Promise<Entrant[]> {
  return findEntrants(parseOptions(args), { places, missingPeers: undefined, usualPythons });
}

const labels = (entrants: readonly Entrant[]): string[] => entrants.map(({ label, unable }) => (unable ? `${label}: ${unable}` : label));

describe("findEntrants()", () => {
  it("takes PyTorch once for each version that the usual Pythons have, in each way that it can run", async () => {
    const usual = [
      await python("without"),
      await python("old", { torch: "1.13.0", modes: ["eager"] }),
      join(folder, "nowhere"),
      await python("new", { torch: "2.13.0" }),
      await python("same", { torch: "2.13.0" }),
    ];
    const entrants = await found(["--engines", "pytorch-cpu"], usual);
    expect(labels(entrants)).toEqual([
      "pytorch-cpu 1.13 eager",
      "pytorch-cpu 2.13 eager",
      "pytorch-cpu 2.13 sdpa",
      "pytorch-cpu 2.13 compile",
    ]);
    const { command, args } = entrants.at(-1)!.command("gpt:4x250", { isNull: false });
    expect(command).toBe(usual[3]);
    expect(args.join(" ")).toContain("--case gpt:4x250 --mode compile --device cpu");
  });

  it("tells versions apart that begin alike", async () => {
    const usual = [await python("cpu", { torch: "2.13.0+cpu" }), await python("cuda", { torch: "2.13.0+cu126", cuda: true })];
    const engines = "pytorch-cpu/eager,pytorch-cuda/eager";
    expect(labels(await found(["--engines", engines], usual))).toEqual([
      "pytorch-cpu 2.13.0+cpu eager",
      "pytorch-cpu 2.13.0+cu126 eager",
      "pytorch-cuda 2.13.0+cu126 eager",
    ]);
  });

  it("says what is missing to those who asked, and nothing of CUDA to others", async () => {
    const [none, old] = [await python("none"), await python("older", { torch: "1.13.0", modes: ["eager"] })];
    expect(labels(await found(["--engines", "pytorch-cpu/sdpa"], [none, old]))).toEqual([
      "pytorch-cpu 1.13 sdpa: torch 1.13.0 cannot run in mode sdpa (PyTorch 2 can)",
    ]);
    expect(labels(await found(["--engines", "pytorch-cuda/eager"], [old]))).toEqual([
      "pytorch-cuda 1.13 eager: torch 1.13.0 found no CUDA",
    ]);
    expect(labels(await found(["--engines", "pytorch-cpu/eager"], [none]))).toEqual([
      "pytorch-cpu eager: no python3 with torch (name one with --python)",
    ]);
    expect(labels(await found(["--engines", "pytorch-cpu/eager", "--python", none], [old]))).toEqual([
      `pytorch-cpu eager: ${none}: no torch`,
    ]);
    expect(labels(await found(["--cases", "sae:8x8"], [old])).filter((label) => label.includes("cuda"))).toEqual([]);
  });
});
