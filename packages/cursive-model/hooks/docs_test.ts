import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { seededIndices } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StrokeTokenizer } from "../data/tokenizer.ts";
import { randomModel } from "../testing/random_model.ts";
import type { Transformer } from "../transformer.ts";
import { activationPatch } from "./activation_patch.ts";
import { activations } from "./activation_stream.ts";
import { headSites } from "./patch_sites.ts";
import { tokenFilter } from "./token_filter.ts";

const page = readFileSync(new URL("../../../docs/hooks.md", import.meta.url), "utf8");
const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const config = { nLayer: 4, nHead: 4, nEmbd: 16, blockSize: 12, contextBlockSize: 5, vocabSize: 171, contextVocabSize: 72 };

let device: Device;
let model: Transformer;
const folder = mkdtempSync(join(tmpdir(), "hooks-"));
beforeAll(async () => {
  device = await openDevice();
  model = randomModel(config, 1);
});
afterAll(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

/** Each example with the heading above it. */
const examples = page.split(/^## /m).flatMap((section) => {
  const title = section.slice(0, section.indexOf("\n"));
  return [...section.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code], i) => ({
    title: i > 0 ? `${title}, ${i + 1}` : title,
    code: code!,
  }));
});

describe("the page about hooks", () => {
  it("has the table of names that the model gives", () => {
    const names = /<!-- names -->\n([\s\S]*?)\n<!-- \/names -->/.exec(page)?.[1] ?? "";
    expect(names.trim()).toBe(table(model));
  });

  it.each(examples)("has an example that runs: $title", async ({ title, code }) => {
    const ids = (seed: number, shape: number[], n: number): Tensor =>
      tensor(Int32Array.from(seededIndices(seed, shape, n).data), { shape });
    const tokens = ids(1, [2, 12], 171);
    const context = ids(2, [2, 5], 72);
    const batches = [{ tokens: await host(tokens), context: await host(context) }];
    const given = { model, tokens, context, targets: ids(3, [2, 12], 171), otherContext: ids(4, [2, 5], 72), batches, tokenizer, tensor, activationPatch, headSites, activations, tokenFilter }; // biome-ignore format: one list
    const file = join(folder, `${title.replaceAll(/\W+/g, "_")}.ts`);
    writeFileSync(file, `// @ts-nocheck\nexport async function run({ ${Object.keys(given).join(", ")} }) {\n${code}\n}\n`);
    const { run } = (await import(/* @vite-ignore */ file)) as { run: (scope: typeof given) => Promise<void> };
    await run(given);
    expect([...model.namedModules()].some(([, module]) => module.isHooked)).toBe(false);
  });
});

async function host(t: Tensor) {
  return { shape: t.shape, dtype: t.dtype, data: await t.data() };
}

/** The sites as Markdown: those of the first block stand for all. */
function table(of: Transformer): string {
  const sites = of.hookSites.sites.filter(({ layer }) => layer === null || layer <= 0);
  const inLayer = (name: string): string => name.replace(/^blocks\.0/, "blocks.L").replace(/^transformer\.h\.0/, "transformer.h.L");
  const rows = sites.map(({ name, path, axes }) => [`\`${inLayer(name)}\``, `\`${inLayer(path)}\``, `\`[${axes.join(", ")}]\``]);
  const lines = [["name", "path", "shape"], ...rows];
  const widths = [0, 1, 2].map((i) => Math.max(...lines.map((line) => line[i]!.length)));
  const format = (cells: readonly string[]): string => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [format(lines[0]!), `| ${widths.map((w) => "-".repeat(w)).join(" | ")} |`, ...rows.map(format)].join("\n");
}
