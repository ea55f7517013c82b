import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { dotBound, expectClose, map, type Nd, nd, oracle, roundingBound, runs, seed, seededValues, valueKind } from "../testing/mod.ts";
import { reluSums } from "./relu_sums.ts";

let device: Device;
let ownFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  ownFamily = device.family;
});
afterEach(() => {
  device.family = ownFamily;
});

const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });

const cases = fc.record({
  rows: fc.constantFrom(1, 2, 7, 64, 65, 1300),
  width: fc.constantFrom(1, 3, 4, 8, 12, 60, 64, 68, 130),
  kind: valueKind("normal", "integers", "adversarial"),
  uses: fc.constantFrom("y", "sums", "both"),
  seed: seed(),
});
type Case = Omit<typeof cases extends fc.Arbitrary<infer T> ? T : never, "rows"> & { readonly rows: number };

async function agrees({ rows, width, kind, uses, seed }: Case): Promise<void> {
  const drawn = seededValues(seed, [rows, width], kind);
  const x = map(drawn, (v) => (kind === "adversarial" && Math.abs(v) > 1e15 ? v * 1e-15 : v)); // sums must not overflow
  const leaf = upload(x);
  leaf.requiresGrad = true;
  const { y, sums, counts } = reluSums(leaf);
  const exact = oracle.relu(map(x, Math.fround));
  expectClose(await y.data(), exact, 0);
  expectClose(await sums.data(), oracle.sum(exact, { axis: 0 }), dotBound(rows, oracle.sum(exact, { axis: 0 })));
  const positive = map(exact, (v) => Number(v > 0));
  expect([...(await counts.data())]).toEqual([...oracle.sum(positive, { axis: 0 }).data]);

  const [u, w] = [seededValues(seed + 1, [rows, width]), seededValues(seed + 2, [width])];
  const parts = [uses === "sums" ? undefined : y.mul(upload(u)).sum(), uses === "y" ? undefined : sums.mul(upload(w)).sum()];
  const loss = parts.filter((p) => p !== undefined).reduce((a, b) => a.add(b));
  loss.backward();
  const wanted = nd(
    x.shape,
    positive.data.map((on, i) => on * ((uses === "sums" ? 0 : u.data[i]!) + (uses === "y" ? 0 : w.data[i % width]!))),
  );
  expectClose(
    await leaf.grad!.data(),
    wanted,
    roundingBound(
      2,
      map(wanted, (v) => 2 + Math.abs(v)),
    ),
  );
}

describe("reluSums", () => {
  it("is ReLU with its columns' sums and counts, and their gradient, at any width", async () => {
    await fc.assert(fc.asyncProperty(cases, agrees), runs(50));
  });

  it("takes long columns on every adapter", async () => {
    for (const family of ["portable", "tile"] as const) {
      device.family = family;
      await agrees({ rows: 9000, width: 8, kind: "normal", uses: "both", seed: 3 });
    }
  });

  it("lets NaN through to its own column", async () => {
    const { y, sums, counts } = reluSums(
      tensor([
        [1, Number.NaN, -1, 2],
        [3, 4, -0, -2],
      ]),
    );
    expect([...(await y.data())]).toEqual([1, Number.NaN, 0, 2, 3, 4, 0, 0]);
    expect([...(await sums.data())]).toEqual([4, Number.NaN, 0, 2]);
    expect([...(await counts.data())]).toEqual([2, 1, 0, 1]);
  });

  it("runs in captured steps, with a gradient of one element seen many times", async () => {
    const step = capture(
      (x: Tensor) => {
        const leaf = x.detach();
        leaf.requiresGrad = true;
        reluSums(leaf).sums.sum().mul(3).backward();
        return leaf.grad!;
      },
      { poison: true },
    );
    for (const seed of [1, 2]) {
      const x = seededValues(seed, [40, 8]);
      expect([...(await (await step(upload(x))).data())]).toEqual([...x.data].map((v) => (v > 0 ? 3 : 0)));
    }
  });

  it("refuses other ranks", () => {
    expect(() => reluSums(tensor([1, 2, 3, 4]))).toThrow(ShapeError);
  });

  it("is caught when a stretch of rows is lost", async () => {
    const c: Case = { rows: 65, width: 8, kind: "normal", uses: "both", seed: 1 };
    await withMutation("relu_sums", [/row < params\.rows;/, "row + 1u < params.rows;"], () => expect(agrees(c)).rejects.toThrow());
    await withMutation("relu_sums", [/i % params\.columns/, "0u"], () => expect(agrees(c)).rejects.toThrow());
  });
});
