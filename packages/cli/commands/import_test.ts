import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TorchValue } from "@cursive/tensor";
import { torchFile } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unseal } from "../run/checkpoint.ts";
import { type TemporaryFolder, temporaryFolder } from "../testing/mini.ts";
import { runInProcess } from "../testing/run_in_process.ts";

let folder: TemporaryFolder;
const inFolder = (name: string): string => join(folder.path, name);

/** A checkpoint as the original saves it, one block of width 4, all weights 0.5. */
function savedByOriginal(vocabulary: number): Uint8Array {
  const state = new Map<string, TorchValue>();
  const put = (name: string, shape: number[]): void => {
    const count = shape.reduce((product, size) => product * size, 1);
    state.set(name, { shape, dtype: "f32", data: new Float32Array(count).fill(0.5) });
  };
  const tables = { wte: vocabulary, wpe: 6, wce: 72, wcpe: 5 };
  for (const [name, rows] of Object.entries(tables)) put(`transformer.${name}.weight`, [rows, 4]);
  const linear = { "attn.c_attn": [12, 4], "attn.c_proj": [4, 4], "cross_attn.c_attn_q": [4, 4], "cross_attn.c_attn_kv": [8, 4] };
  const rest = { "cross_attn.c_proj": [4, 4], "mlp.c_fc": [16, 4], "mlp.c_proj": [4, 16], ln_1: [4], ln_2: [4], ln_3: [4] };
  for (const [name, shape] of Object.entries({ ...linear, ...rest })) {
    put(`transformer.h.0.${name}.weight`, shape);
    put(`transformer.h.0.${name}.bias`, [shape[0]!]);
  }
  put("transformer.ln_f.weight", [4]);
  put("transformer.ln_f.bias", [4]);
  put("lm_head.weight", [vocabulary, 4]);
  return torchFile(
    new Map<string, TorchValue>([
      ["model_state_dict", state],
      ["step", 99],
      ["best_loss", 1.5],
    ]),
  );
}

beforeAll(() => {
  folder = temporaryFolder();
  writeFileSync(inFolder("best_checkpoint.pt"), savedByOriginal(455));
});
afterAll(() => folder[Symbol.dispose]());

describe("import", () => {
  it("writes a checkpoint that sample and eval take, and says what it assumed", async () => {
    const out = inFolder("model.safetensors");
    const { code, stdout, stderr } = await runInProcess("import", inFolder("best_checkpoint.pt"), "--out", out);
    expect(code).toBe(0);
    expect(stdout).toContain("1 layers, 4 wide, 4 heads, 6 tokens of 455");
    expect(stdout).toContain("100 steps, best test loss 1.5000");
    expect(stderr).toContain("warning: nothing says how many heads there are; 4, the original's, are assumed (--heads)");
    const { metadata, tensors } = unseal(readFileSync(out));
    expect(metadata).toMatchObject({ format: "cursive-model", step: "100" });
    expect(JSON.parse(metadata.tokenizer!).bins).toBe("polar-151");
    expect(tensors.get("lm_head.weight")!.data[0]).toBe(0.5);
  });

  it("takes heads from the configuration or the option, and tells programs what it wrote", async () => {
    writeFileSync(inFolder("config.json"), JSON.stringify({ n_ctx_head: 2 }));
    const out = inFolder("json.safetensors");
    const run = await runInProcess("import", inFolder("best_checkpoint.pt"), "--config", inFolder("config.json"), "--out", out, "--json");
    expect(JSON.parse(run.stdout)).toMatchObject({ event: "import", path: out, step: 100, config: { nHead: 2 }, headsAssumed: false });
    const forced = await runInProcess("import", inFolder("best_checkpoint.pt"), "--heads", "1", "--out", out, "--force", "--quiet");
    expect([forced.code, forced.stdout, forced.stderr]).toEqual([0, "", ""]);
  });

  it("answers what it cannot take with one line and exit code 2, and writes nothing", async () => {
    writeFileSync(inFolder("other.pt"), savedByOriginal(523));
    writeFileSync(inFolder("cut.pt"), savedByOriginal(455).slice(0, 5000));
    const out = inFolder("never.safetensors");
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await runInProcess("import", ...args, "--out", out);
      expect(code).toBe(2);
      expect(stderr.trimEnd()).not.toContain("\n");
      return stderr;
    };
    expect(await refused(inFolder("other.pt"))).toContain("Expected a vocabulary of 455 (polar-151) or 525 (polar-220-word) but found 523");
    expect(await refused(inFolder("cut.pt"))).toContain("Expected a whole zip");
    expect(await refused(inFolder("none.pt"))).toContain("Expected a checkpoint at");
    expect(await refused(inFolder("best_checkpoint.pt"), "--heads", "3")).toContain("divides the width of 4 but found 3");
    expect(await refused(inFolder("best_checkpoint.pt"), "--config", inFolder("cut.pt"))).toContain("Expected JSON in");
    expect(existsSync(out)).toBe(false);
    expect((await runInProcess("import", inFolder("other.pt"), "--out", inFolder("model.safetensors"))).stderr).toContain(
      "--force replaces it",
    );
  });
});
