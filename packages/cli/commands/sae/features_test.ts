import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { createSae } from "@cursive/sae";
import { type FeatureOverview, type FeaturePage, featureFileSource, formatFeatureFile, parseFeatureFile } from "@cursive/sae/dashboard";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeSae } from "../../sae/save_sae.ts";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../../testing/mini.ts";
import { type Ended, startCli } from "../../testing/run_cli.ts";
import { runInProcess } from "../../testing/run_in_process.ts";

let device: Device;
let parent: TemporaryFolder;
const at = (...parts: string[]): string => join(parent.path, ...parts);
const made = at.bind(null, "runs/saes/one-001/features");

beforeAll(async () => {
  device = await openDevice();
  parent = temporaryFolder();
  const config = miniConfig({ "model.nHead": 2, "data.maxLength": 80 }); // some sequences end before;
  const folder = await makeRunFolder(at("runs"), { config, device });
  await trainMini(config, { device, folder });
  await folder.release();
  mkdirSync(at("runs/saes/one-001"), { recursive: true });
  writeFileSync(at("runs/saes/one-001/config.json"), "{}");
  const sae = createSae({ architecture: "topk", dIn: 8, dSae: 16, k: 4, seed: 1 });
  const origin = { hook: "blocks.0.hook_mlp_out", checkpoint: folder.file("checkpoints/best.safetensors"), run: "mini-001" };
  const about = { config: sae.config as never, origin: { ...origin, trainedBy: "one-001", steps: 1, rows: 1 } };
  writeFileSync(at("runs/saes/one-001/sae.safetensors"), encodeSae(await sae.stateDict(), about));
});
afterAll(() => {
  parent[Symbol.dispose]();
  device.destroy();
});

const features = (...args: string[]): Promise<Ended> => runInProcess("sae", "features", "--runs", at("runs"), "--sequences", "10", ...args);

/** All files of a folder with their texts; the time at which it was made is left out. */
function filesOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => statSync(join(folder, name)).isFile());
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), "utf8").replace(/"createdAt":"[^"]*"/, "")]));
}

describe("sae features", () => {
  it("writes a folder that opens from disk, beside the autoencoder, and says how large it is", async () => {
    const { code, stdout } = await features("--json");
    expect(code).toBe(0);
    const { path, index, size, overview } = JSON.parse(stdout);
    expect([path, index]).toEqual([made(), made("index.html")]);
    expect(readdirSync(path)).toEqual(["data", "index.html"]);
    expect(readdirSync(made("data"))).toEqual([
      ...Array.from({ length: 16 }, (_, f) => `feature-${String(f).padStart(5, "0")}.js`),
      "overview.js",
      "sequences-000.js",
    ]);
    const sizes = [...filesOf(path).keys()].map((name) => statSync(join(path, name)).size);
    expect(size).toMatchObject({ files: 19, bytes: sizes.reduce((a, b) => a + b, 0), pages: { files: 16 } });
    expect(size.largest.bytes).toBe(Math.max(...sizes));
    expect(size.pages.bytes / 16).toBeLessThan(20_000);
    expect(overview.about).toMatchObject({
      title: "one-001",
      hook: "blocks.0.hook_mlp_out",
      sequences: 10,
      words: "cursive, held-out words",
    });
    expect(readFileSync(index, "utf8")).toContain('<div id="features">');
    expect(readdirSync(at("runs/saes/one-001"))).toEqual(["config.json", "features", "sae.safetensors"]); // no draft is left
  });

  it("gives every file the form that pages and programs read", async () => {
    const source = featureFileSource(async (file) => parseFeatureFile(readFileSync(made("data", file), "utf8")).value);
    const { features: list } = await source.overview();
    expect(list.map(({ index }) => index)).toEqual(Array.from({ length: 16 }, (_, f) => f));
    const keys: (keyof FeaturePage)[] = ["index", "firings", "decoderNorm", "activations", "tuning", "logits", "ablation", "letters"];
    keys.push("nearest", "correlated", "neurons", "examples", "topTokens");
    for (const { index, density } of list) {
      const page = await source.page(index);
      expect(Object.keys(page).sort()).toEqual(keys.toSorted());
      expect(page.firings > 0).toBe(density > 0);
      for (const { sequence, position } of page.topTokens)
        expect((await source.sequence(sequence)).tokens[position]).toBeGreaterThanOrEqual(0);
      const file = `feature-${String(index).padStart(5, "0")}.js`;
      const text = readFileSync(made("data", file), "utf8");
      expect(formatFeatureFile(file, page)).toBe(text);
      // what a script element does with it
      const calls: unknown[] = [];
      new Function("cursiveFeatures", text)((...args: unknown[]) => calls.push(args));
      expect(calls).toEqual([[`feature-${String(index).padStart(5, "0")}`, page]]);
    }
    await expect(source.sequence(10)).rejects.toThrow("Expected a sequence of the corpus but found 10");
  });

  it("writes the same bytes again, in the place of its former pages", async () => {
    const before = filesOf(made());
    writeFileSync(made("data/stale.js"), "");
    const [left, busy] = [at("runs/saes/one-001/.features-draft-1"), at("runs/saes/one-001/.features-draft-2")];
    for (const draft of [left, busy]) mkdirSync(draft);
    utimesSync(left, new Date(0), new Date(0)); // of a process that was killed
    expect((await features("--quiet")).code).toBe(0);
    expect(filesOf(made())).toEqual(before);
    expect([existsSync(left), existsSync(busy)]).toEqual([false, true]);
    expect(statSync(made()).mode & 0o777).toBe(0o777 & ~process.umask()); // others may look at it, if they may look at what is made here
    rmSync(busy, { recursive: true });
  });

  it("writes pages of some features, elsewhere, without losses, and keeps the index", async () => {
    const { code, stdout } = await features("--features", "3,12-13", "--no-ablation", "--index", "--out", at("some"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/ΔCE not measured/);
    expect(stdout).toMatch(/wrote {4}.*some: 6 files, .* a feature; the largest is index\.html/);
    expect(stdout).toContain("/some/index.html");
    const { value } = parseFeatureFile(readFileSync(at("some/data/overview.js"), "utf8"));
    expect((value as FeatureOverview).features.map(({ index, deltaCe }) => [index, deltaCe])).toEqual([
      [3, null],
      [12, null],
      [13, null],
    ]);
    expect(readdirSync(at("some/index"))).toContain("index.json");
  });

  it("prints the notebook's token table, decoded, and writes nothing", async () => {
    rmSync(made(), { recursive: true });
    const { tables } = JSON.parse((await features("--table", "3", "--top", "6", "--json")).stdout);
    expect(tables).toHaveLength(1);
    const { rows, feature } = tables[0];
    expect([feature, rows.length]).toEqual([3, 6]);
    const activations = rows.map(({ activation }: { activation: number }) => activation);
    expect(activations).toEqual(activations.toSorted((a: number, b: number) => b - a));
    expect(rows[0]).toMatchObject({ rank: 1, meaning: expect.stringMatching(/^(θ \d+°|r [\d.]+( up)?)$/), text: expect.any(String) });
    const { stdout } = await features("--table", "3");
    expect(stdout).toMatch(/rank +activation +sequence +position +token +meaning +pen +letter +text +context/);
    expect(stdout).toContain(`[${rows[0].meaning}]`);
    expect(existsSync(made())).toBe(false);
  });

  it("writes what an instance of Neuronpedia imports, gzipped, and replaces it", async () => {
    const folder = at("runs/saes/one-001/neuronpedia");
    for (let time = 0; time < 2; time++) {
      const { code, stdout } = await features("--format", "neuronpedia", "--set-name", "k-4", "--creator", "me", "--json");
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ path: folder, format: "neuronpedia", size: { files: 6 } });
    }
    const tree = join(folder, "cursive-transformer/0-k-4");
    const records = (text: string): Record<string, unknown>[] =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const plain = (name: string): Record<string, unknown>[] => records(readFileSync(join(tree, `${name}.jsonl`), "utf8"));
    const zipped = (name: string): Record<string, unknown>[] =>
      records(gunzipSync(readFileSync(join(tree, `${name}.jsonl.gz`))).toString("utf8"));
    expect(plain("source")).toMatchObject([{ id: "0-k-4", modelId: "cursive-transformer", creatorId: "me", num_prompts: 10 }]);
    expect(plain("model")).toMatchObject([{ layers: 1 }]);
    const found = zipped("features/batch-0");
    expect(found.every(({ frac_nonzero, vector }) => Number(frac_nonzero) > 0 && (vector as number[]).length === 8)).toBe(true);
    const examples = zipped("activations/batch-0");
    expect(new Set(examples.map(({ index }) => index))).toEqual(new Set(found.map(({ index }) => index)));
    for (const { tokens, values, maxValue, qualifyingTokenIndex } of examples) {
      expect((tokens as string[]).every((token) => /^(θ \d+°|r [\d.e-]+( up)?|END|PAD)$/.test(token))).toBe(true);
      expect((values as number[])[qualifyingTokenIndex as number]).toBeGreaterThan(0);
      expect(maxValue).toBe(Math.max(...(values as number[])));
    }
    rmSync(folder, { recursive: true });
  });

  it("writes SAEDashboard's batches and data, with the numbers of dead features", async () => {
    expect((await features("--format", "neuronpedia-batches", "--features", "0-11", "--around", "2", "--out", at("batches"))).code).toBe(0);
    const read = (...names: string[]): Record<string, never> => JSON.parse(readFileSync(at(...names), "utf8"));
    expect(readdirSync(at("batches")).sort()).toEqual(["batch-0.json", "skipped_indexes.json"]);
    const batch: { features: { feature_index: number; activations: { tokens: string[] }[] }[] } = read("batches", "batch-0.json") as never;
    const skipped: number[] = read("batches", "skipped_indexes.json").skipped_indexes!;
    const numbers = [...batch.features.map(({ feature_index }) => feature_index), ...skipped];
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, f) => f));
    for (const { activations } of batch.features) for (const { tokens } of activations) expect(tokens.length).toBeLessThanOrEqual(5);
    expect((await features("--format", "saedashboard", "--features", "3", "--out", at("vis"))).code).toBe(0);
    expect(readdirSync(at("vis"))).toEqual(["sae_vis_data-0.json"]);
    expect(Object.keys(read("vis", "sae_vis_data-0.json").feature_data_dict!)).toEqual(["3"]);
    // one format does not replace another
    const { code, stderr } = await features("--format", "saedashboard", "--out", at("batches"));
    expect([code, stderr.includes("Expected a former export for saedashboard to replace, or nothing")]).toEqual([2, true]);
    for (const name of ["batches", "vis"]) rmSync(at(name), { recursive: true });
  });

  it("counts the kinds of tokens that are asked for", async () => {
    const { code, stdout } = await features("--table", "3", "--top", "6", "--tokens", "pad", "--json");
    expect(code).toBe(0);
    for (const { meaning } of JSON.parse(stdout).tables[0].rows) expect(meaning).toBe("PAD");
    const written = await features("--features", "3", "--no-ablation", "--tokens", "radius,pad", "--out", at("padding"));
    expect(written.stdout).toMatch(/^rows +[\d,]+ tokens \(lengths, PAD\) in 10 sequences$/m);
  });

  it("replaces nothing that is not its own, and says in one line what is wrong", async () => {
    mkdirSync(at("other"));
    writeFileSync(at("other/thesis.txt"), "years of work");
    const wrong: [string[], string][] = [
      [["--out", at("other")], `Expected feature pages to replace, or nothing, at ${at("other")} but found thesis.txt: give another --out`],
      [["--out", at("other/thesis.txt")], `Expected a folder at ${at("other/thesis.txt")} but found a file`],
      [["--features", "16"], "Expected features below 16 but found 16"],
      [["--table", "3", "--out", "x"], "Expected --table or --out but found both"],
      [["--table", "3", "--format", "saedashboard"], "Expected --table or --format but found both"],
      [["--format", "neuronpedia", "--index"], "Expected --index with pages but found it with another --format"],
      [["--format", "neuronpedia", "--set-name", "../x"], 'Expected a name of letters, digits and dashes but found "../x"'],
      [["one-001", "--sae", "1"], "Expected one autoencoder but found two"],
      [["--tokens", "word"], "Expected tokens of the kinds word but found none in the words (--tokens)"],
      [["--features", "3-1"], 'Expected numbers of features such as 18 or 18,40-49 but found "3-1"'],
      [["--hook", "blocks.0.mlp.hook_post"], "Expected activations 8 wide but found blocks.0.mlp.hook_post, 32 wide"],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await features(...args);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toContain(message);
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
    expect(readFileSync(at("other/thesis.txt"), "utf8")).toBe("years of work");
    expect(readdirSync(parent.path).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("leaves nothing behind when interrupted", async () => {
    const child = startCli(["sae", "features", "--runs", at("runs"), "--sequences", "100000", "--out", at("late")]);
    child.onLine((line) => line.startsWith("reading") && child.process.kill("SIGINT"));
    const { code, stderr } = await child.ended;
    expect(code).toBe(130);
    expect(stderr).not.toContain("    at ");
    expect(existsSync(at("late"))).toBe(false);
    expect(readdirSync(parent.path).filter((name) => name.startsWith("."))).toEqual([]);
  });
});
