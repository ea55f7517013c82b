import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type Device, openDevice, productForms, type Tuning } from "@cursive/tensor";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { checkTuning } from "../doctor/gpu/tuning.ts";
import { describeAdapter, type describeEnvironment } from "../run/environment.ts";
import { noteResumption } from "../run/resumption.ts";
import { makeRunFolder, miniConfig } from "../testing/mini.ts";
import { tuneProducts } from "./tune_products.ts";
import { isTuningOff, openTunedDevice, readTuning, tuningPath, writeTuning } from "./tuning_file.ts";
import { tuningName } from "./tuning_name.ts";

let device: Device;
let folder: string;
const env = { ...process.env };
beforeAll(async () => {
  device = await openDevice({ family: "tile" }); // has forms to choose from on every adapter
});
afterAll(() => device.destroy());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cursive-tuning-"));
  process.env.XDG_CACHE_HOME = folder;
  delete process.env.CURSIVE_TUNING;
});
afterEach(() => {
  process.env = { ...env };
  rmSync(folder, { recursive: true });
});

const tuning: Tuning = { family: "tile", products: { "64×64×64": { family: "tile", rows: 2 }, "128×64×64": { family: "tile", rows: 4 } } };

describe("tuneProducts()", () => {
  it("times every form that is another kernel than the usual, and chooses none or one of them", async () => {
    const shapes = [{ m: 64, k: 64, n: 64, transposed: false }];
    const { products, tuning } = await tuneProducts(device, { shapes, progress: () => {} });
    expect(products).toHaveLength(1);
    const { product, usual, forms, chosen } = products[0]!;
    expect(product).toBe("64×64×64");
    expect(usual).toBeGreaterThan(0);
    expect(forms.map(({ form }) => form)).toEqual(["tile 64×64", "tile 128×64"]); // two rows are usual for so small a product
    for (const { milliseconds } of forms) expect(milliseconds).toBeGreaterThan(0);
    expect(Object.keys(tuning.products)).toEqual(chosen === null ? [] : [product]);
    expect(tuning.family).toBe("tile");
    expect(device.tuning).toBeUndefined();
  }, 120_000);
});

describe("a tuning's file", () => {
  it("is found again for the same adapter, driver and program, and for no other", async () => {
    expect(await readTuning(device)).toBeUndefined();
    const path = await writeTuning(device, { tuning, products: [] });
    expect(path.startsWith(join(folder, "cursive/tuning"))).toBe(true);
    expect((await readTuning(device))?.tuning).toEqual(tuning);
    const other = await openDevice({ family: "portable", asDefault: false });
    expect(await tuningPath(other)).not.toBe(path);
    expect(await readTuning(other)).toBeUndefined();
    other.destroy();
  });

  it("is passed over where it is damaged or says it is another adapter's", async () => {
    const path = await writeTuning(device, { tuning, products: [] });
    const text = readFileSync(path, "utf8");
    for (const broken of [text.slice(0, 40), "null", text.replace(/"key": "/, '"key": "x')]) {
      writeFileSync(path, broken);
      expect(await readTuning(device)).toBeUndefined();
    }
  });

  it("is what a device opens with, unless that is switched off", async () => {
    await writeTuning(device, { tuning, products: [] });
    const opened = async () => {
      using own = await openTunedDevice({ family: "tile", asDefault: false });
      return own.tuning;
    };
    expect(await opened()).toEqual(tuning);
    process.env.CURSIVE_TUNING = "off";
    expect(await opened()).toBeUndefined();
    expect([isTuningOff({}), isTuningOff({ CURSIVE_TUNING: "0" }), isTuningOff({ CURSIVE_TUNING: "on" })]).toEqual([false, true, false]);
  });
});

describe("the doctor", () => {
  it("says what is tuned, where that is kept, and whether it is used", async () => {
    expect(await checkTuning(device)).toMatchObject({ id: "gpu.tuning", status: "ok", found: expect.stringContaining("`doctor --tune`") });
    const product = { product: "64×64×64", usual: 1, forms: [{ form: "tile 32×64", milliseconds: 0.5 }], chosen: "tile 32×64" };
    await writeTuning(device, { tuning, products: [product, { ...product, product: "1×1×1", chosen: null }] });
    const { found, data } = await checkTuning(device);
    expect(found).toMatch(/^1 of 2 products by other kernels than the usual \([0-9a-f]{8}\): 64×64×64 by tile 32×64; .*\.json$/);
    expect(data).toMatchObject({ isOff: false, name: tuningName(tuning) });
    process.env.CURSIVE_TUNING = "off";
    expect((await checkTuning(device)).found).toMatch(/; not used, as CURSIVE_TUNING says$/);
  });
});

describe("a run with tuned kernels", () => {
  it("names them by what is chosen, in whatever order", () => {
    const turned = { ...tuning, products: Object.fromEntries(Object.entries(tuning.products).reverse()) };
    expect(tuningName(tuning)).toMatch(/^[0-9a-f]{8}$/);
    expect(tuningName(turned)).toBe(tuningName(tuning));
    expect(tuningName({ ...tuning, products: { "64×64×64": { family: "tile", rows: 8 } } })).not.toBe(tuningName(tuning));
    expect([tuningName(undefined), tuningName({ family: "tile", products: {} })]).toEqual([null, null]);
  });

  it("records the choice, and says on resuming that it is another", async () => {
    device.tuning = tuning;
    expect(describeAdapter(device).tuning).toBe(tuningName(tuning));
    const config = miniConfig();
    const run = await makeRunFolder(folder, { config, device });
    const { dataHash } = JSON.parse(readFileSync(run.file("env.json"), "utf8")) as Awaited<ReturnType<typeof describeEnvironment>>;
    const told: string[] = [];
    const about = { device, step: 0, dataHash, data: "words", hint: "", warn: (text: string) => void told.push(text) };
    await noteResumption(run, about);
    expect(told).toEqual([]);
    device.tuning = undefined;
    await noteResumption(run, about);
    expect(told).toEqual([
      `note: this run began with the tuned kernels ${tuningName(tuning)} and goes on with the usual kernels; its numbers differ in the last bits`,
    ]);
    await run.release();
    expect(productForms(device).length).toBeGreaterThan(1);
  });
});
