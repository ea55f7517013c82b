import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Device, openDevice, writeSafetensors } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../testing/mini.ts";
import { decodeCheckpoint } from "./checkpoint.ts";
import { describeModel, findModel } from "./find_model.ts";

let device: Device;
let folder: TemporaryFolder;
let run: string;
beforeAll(async () => {
  device = await openDevice();
  folder = temporaryFolder();
  const made = await makeRunFolder(folder.path, { config: miniConfig(), device });
  await trainMini(miniConfig(), { device, folder: made });
  await made.release();
  run = made.path;
});
afterAll(() => {
  device.destroy();
  folder[Symbol.dispose]();
});

const checkpoint = (name: string): string => join(run, "checkpoints", `${name}.safetensors`);
const refusal = (promise: Promise<unknown>): Promise<Error> => promise.then(() => expect.unreachable(), (error) => error); // biome-ignore format: short

describe("findModel()", () => {
  it("makes the model of either kind of checkpoint again, and knows the run it is of", async () => {
    const saved = decodeCheckpoint(readFileSync(checkpoint("last")), {});
    const last = await findModel({ runs: folder.path, which: "last" });
    expect(await last.model.stateDict()).toEqual(saved.model);
    expect(last).toMatchObject({ step: 12, path: checkpoint("last"), run: { name: "mini-001", config: miniConfig() } });
    expect(describeModel(last)).toBe("mini-001, last checkpoint, step 12");
    const best = await findModel({ runs: folder.path, run: "1" });
    expect(best.path).toBe(checkpoint("best"));
    expect(last.tokenizer.toJSON()).toEqual(best.tokenizer.toJSON());
    const copy = join(folder.path, "copy.safetensors");
    writeFileSync(copy, readFileSync(checkpoint("best")));
    const alone = await findModel({ runs: "nowhere", checkpoint: copy });
    expect(await alone.model.stateDict()).toEqual(await best.model.stateDict());
    expect(alone.run).toBeUndefined();
  });

  it("says how to get a model where there is none", async () => {
    const none = join(folder.path, "none");
    const error = await refusal(findModel({ runs: none }));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(
      `Expected a trained model but found no run in ${none}: \`pnpm cli train\` makes one, or give --checkpoint FILE`,
    );
  });

  it("refuses checkpoints that are not there, damaged or of another kind, in one line", async () => {
    const file = join(folder.path, "some.safetensors");
    const refused = async (bytes: Uint8Array): Promise<string> => {
      writeFileSync(file, bytes);
      const error = await refusal(findModel({ runs: "", checkpoint: file }));
      expect(error).toBeInstanceOf(UsageError);
      return error.message;
    };
    const bytes = readFileSync(checkpoint("best"));
    const flipped = Uint8Array.from(bytes);
    flipped[flipped.length - 1]! ^= 1;
    expect(await refused(flipped)).toContain("Expected the content that the checksum promises but found other bytes");
    expect(await refused(bytes.subarray(0, 1000))).toMatch(/^\S+some.safetensors: Expected .+ but found .+$/);
    expect(await refused(writeSafetensors(new Map(), { metadata: {} }))).toContain("Expected a file with its checksum but found none");
    rmSync(file);
    expect((await refusal(findModel({ runs: "", checkpoint: file }))).message).toBe(
      `Expected a checkpoint at ${file} but found no such file`,
    );
    expect((await refusal(findModel({ runs: "", checkpoint: file, which: "best" }))).message).toContain("found both");
  });

  it("takes the last checkpoint where there is no best yet, unless the best is asked for", async () => {
    const config = miniConfig({ steps: 4, "training.evaluateEvery": 100 });
    const made = await makeRunFolder(folder.path, { config, device });
    await trainMini(config, { device, folder: made });
    await made.release();
    rmSync(made.file("checkpoints", "best.safetensors"), { force: true });
    expect((await findModel({ runs: folder.path })).path).toBe(made.file("checkpoints", "last.safetensors"));
    const error = await refusal(findModel({ runs: folder.path, which: "best" }));
    expect(error.message).toBe("Expected a best checkpoint of mini-002 but found only last");
  });
});
