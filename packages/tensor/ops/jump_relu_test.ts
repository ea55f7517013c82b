import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { dotBound, elementBound, expectClose, map, type Nd, nd, oracle, runs, seed, seededValues, zip } from "../testing/mod.ts";
import { jumpRelu, jumpReluSums } from "./jump_relu.ts";

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
const f32 = Math.fround;

const cases = fc.record({
  rows: fc.constantFrom(1, 2, 7, 65, 1300),
  width: fc.constantFrom(1, 3, 4, 8, 60, 68, 130),
  kind: fc.constantFrom("normal", "integers"), // integers lie on thresholds and on the window's edges
  isTanh: fc.boolean(),
  uses: fc.subarray(["y", "sums", "missing"] as const, { minLength: 1 }),
  seed: seed(),
});
type Drawn = typeof cases extends fc.Arbitrary<infer T> ? T : never;
type Case = Omit<Drawn, "rows" | "width"> & { readonly rows: number; readonly width: number };

const BANDWIDTH = 1.5;

/** Inputs, and the weights of the outputs in the loss: 0 where an output is not used. */
function given({ rows, width, kind, uses, seed }: Case) {
  const draw = (stream: number, shape: number[], isUsed = true): Nd =>
    map(seededValues(seed + stream, shape, kind), (v) => f32(Number(isUsed) * v));
  return {
    z: draw(0, [rows, width]),
    theta: map(draw(1, [width]), Math.abs),
    scale: map(draw(2, [width]), (v) => Math.min(4, Math.abs(v))),
    ofY: draw(3, [rows, width], uses.includes("y")),
    ofSums: draw(4, [width], uses.includes("sums")),
    ofMissing: draw(5, [width], uses.includes("missing")),
  };
}

/** Everything by its formula in float64, decisions as exact subtraction makes them; and a bound on what rounding may do to each. */
function formulas({ rows, width, isTanh }: Case, g: ReturnType<typeof given>) {
  const outputs = () => ({
    y: nd([rows, width]),
    sums: nd([width]),
    missing: nd([width]),
    counts: nd([width]),
    z: nd([rows, width]),
    theta: nd([width]),
    scale: nd([width]),
  });
  // What is a sum has errors of its own terms, and those of adding up, which follow from the terms' sizes.
  const [exact, sizes, errors] = [outputs(), outputs(), outputs()];
  const add = (
    name: "sums" | "missing" | "theta" | "scale" | "z",
    at: number,
    [term, size, error]: [term: number, size: number, error: number],
  ): void => {
    exact[name].data[at]! += term;
    sizes[name].data[at]! += size;
    errors[name].data[at]! += error;
  };
  const isOn = (i: number): boolean => g.z.data[i]! > g.theta.data[i % width]!;
  const scaled = nd(
    [rows, width],
    g.z.data.map((z, i) => Number(isOn(i)) * g.scale.data[i % width]! * z),
  );
  const tanh = oracle.tanh(scaled);
  const ofTanh = elementBound("tanh", scaled, tanh);
  for (let i = 0; i < rows * width; i++) {
    const c = i % width;
    const [z, theta, s] = [g.z.data[i]!, g.theta.data[c]!, g.scale.data[c]!];
    const [dy, dsum, dmissing] = [g.ofY.data[i]!, g.ofSums.data[c]!, z < theta ? g.ofMissing.data[c]! : 0];
    const y = isOn(i) ? z : 0;
    exact.y.data[i] = y;
    exact.counts.data[c]! += Number(isOn(i));
    add("missing", c, [Math.max(0, theta - z), Math.abs(theta) + Math.abs(z), 0]);

    const p = isTanh ? tanh.data[i]! : Number(isOn(i));
    const ofP = isTanh ? ofTanh.data[i]! + Math.abs(scaled.data[i]!) * 2 ** -24 : 0;
    add("sums", c, [p, p, ofP]);

    const [slope, ofSlope] = isTanh ? [1 - p * p, 2 * ofP + 2 ** -22] : [0, 0];
    const [G, size, error] = [dy + dsum * s * slope, Math.abs(dy) + Math.abs(dsum * s * slope), Math.abs(dsum * s) * ofSlope];
    add("z", i, [(isOn(i) ? G : 0) - dmissing, size + Math.abs(dmissing), error]);
    const share = Number(Math.abs(f32(z - theta)) < BANDWIDTH / 2) / BANDWIDTH;
    const ofStep = isTanh ? 0 : dsum;
    add("theta", c, [
      dmissing - share * (theta * G + ofStep),
      Math.abs(dmissing) + share * (theta * size + Math.abs(ofStep)),
      share * theta * error,
    ]);
    if (isTanh) add("scale", c, [dsum * y * slope, Math.abs(dsum * y * slope), Math.abs(dsum * y) * ofSlope]);
  }
  const bound = (name: keyof typeof sizes): Nd => zip(dotBound(rows + 12, sizes[name]), errors[name], (adding, own) => adding + own);
  return { exact, bound };
}

async function agrees(c: Case): Promise<void> {
  const g = given(c);
  const [z, theta, scale] = [upload(g.z), upload(g.theta), upload(g.scale)];
  for (const t of [z, theta, scale]) t.requiresGrad = true;
  const found = jumpReluSums(z, theta, { bandwidth: BANDWIDTH, ...(c.isTanh && { tanhScale: scale }) });
  const weights = { y: g.ofY, sums: g.ofSums, missing: g.ofMissing };
  c.uses
    .map((name) => found[name].mul(upload(weights[name])).sum())
    .reduce((a, b) => a.add(b))
    .backward();
  const { exact, bound } = formulas(c, g);
  expectClose(await found.y.data(), exact.y, 0);
  expect([...(await found.counts.data())]).toEqual([...exact.counts.data]);
  expectClose(await found.sums.data(), exact.sums, bound("sums"));
  expectClose(await found.missing.data(), exact.missing, bound("missing"));
  expectClose(await z.grad!.data(), exact.z, bound("z"));
  expectClose(await theta.grad!.data(), exact.theta, bound("theta"));
  if (c.isTanh) expectClose(await scale.grad!.data(), exact.scale, bound("scale"));
}

describe("jumpReluSums", () => {
  it("agrees with its formulas in float64, forward and backward, at any width", async () => {
    await fc.assert(fc.asyncProperty(cases, agrees), runs(60));
  });

  const example: Case = { rows: 65, width: 8, kind: "integers", isTanh: true, uses: ["y", "sums", "missing"], seed: 3 };

  it("takes long columns on every adapter", async () => {
    for (const family of ["portable", "tile"] as const) {
      device.family = family;
      await agrees({ ...example, rows: 9000 });
    }
  });

  it("does not count NaN, and lets it through to what its column misses", async () => {
    const z = tensor([
      [1, Number.NaN],
      [-1, 2],
    ]);
    const { y, sums, missing, counts } = jumpReluSums(z, tensor([0.5, 1]), { bandwidth: 1 });
    expect([...(await y.data())]).toEqual([1, 0, 0, 2]);
    for (const t of [sums, counts]) expect([...(await t.data())]).toEqual([1, 1]);
    expect([...(await missing.data())]).toEqual([1.5, Number.NaN]);
  });

  it("runs in captured steps that rely on no memory they have not written", async () => {
    const g = given(example);
    const step = capture(
      (z: Tensor) => {
        const [theta, scale] = [upload(g.theta), upload(g.scale)];
        theta.requiresGrad = true;
        const { y, sums, missing } = jumpReluSums(z, theta, { bandwidth: BANDWIDTH, tanhScale: scale });
        [y, sums, missing].map((t) => t.sum()).reduce((a, b) => a.add(b)).backward(); // biome-ignore format: one line
        return theta.grad!;
      },
      { poison: true },
    );
    const [first, second] = [await (await step(upload(g.z))).data(), await (await step(upload(g.z))).data()];
    expect(first).toEqual(second);
    expect(first.every(Number.isFinite)).toBe(true);
  });

  const controls: [string, RegExp, string, Partial<Case>?][] = [
    ["a stretch of rows that is lost", /row < params\.rows/g, "row + 1u < params.rows"],
    ["a value on its threshold that fires", /value > threshold/g, "value >= threshold"],
    ["a window twice as wide", /0\.5 \* params\.epsilon/, "params.epsilon"],
    ["thresholds without their factor", /threshold \* g/, "g"],
    ["thresholds that the penalty does not reach", /\+ ofSums\)/, ")", { isTanh: false }],
    ["a gradient of the penalty without its scale", /g \+= s \* slope/, "g += slope"],
    ["a gradient of what is missing that goes to all", /if_true\(value < threshold, ofMissing\)/, "ofMissing"],
    ["a tanh that does not level off", /Element\(1\.0\) - p \* p/, "Element(1.0)"],
    ["counts that forget", /counts \+= one/, "counts = one", { rows: 1300 }],
  ];
  for (const width of [8, 7])
    it.for(controls)(`is caught with %s (${width} columns)`, async ([_what, find, replace, special]) => {
      const c = { ...example, width, ...special };
      await agrees(c);
      await withMutation("jump_relu", [find, replace], () => expect(agrees(c)).rejects.toThrow());
    });
});

describe("jumpRelu", () => {
  it("is the same without sums, for any axes", async () => {
    const z = seededValues(1, [2, 3, 5]);
    const theta = map(seededValues(2, [5]), Math.abs);
    const [a, b, t, u] = [upload(z), upload(oracle.reshape(z, [6, 5])), upload(theta), upload(theta)];
    for (const leaf of [a, b, t, u]) leaf.requiresGrad = true;
    const [y, flat] = [jumpRelu(a, t, { bandwidth: 1 }), jumpReluSums(b, u, { bandwidth: 1 }).y];
    expect(y.shape).toEqual([2, 3, 5]);
    expect(await y.data()).toEqual(await flat.data());
    y.square().sum().backward();
    flat.square().sum().backward();
    expect(await a.grad!.data()).toEqual(await b.grad!.data());
    expect(await t.grad!.data()).toEqual(await u.grad!.data());
  });

  it("refuses what does not fit", () => {
    expect(() => jumpRelu(tensor([[1, 2]]), tensor([1]), { bandwidth: 1 })).toThrow(ShapeError);
    expect(() => jumpRelu(tensor([[1, 2]]), tensor([1]), { bandwidth: 1 })).toThrow("expected thresholds and scales [F]");
    expect(() => jumpRelu(tensor([[1, 2]], { dtype: "i32" }), tensor([1, 1]), { bandwidth: 1 })).toThrow(DTypeError);
  });
});
