import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { ShaderName } from "../shaders.gen.ts";
import type { Tensor } from "../tensor.ts";
import { dotBound, expectClose, map, type Nd, nd, runs, seed, seededValues } from "../testing/mod.ts";
import { reluAutoencoder } from "./relu_autoencoder.ts";

let device: Device;
let ownFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  ownFamily = device.family;
});
afterEach(() => {
  device.family = ownFamily;
});

interface Case {
  readonly rows: number;
  readonly width: number;
  readonly features: number;
  readonly centered: boolean;
  /** Elements beside each row of x, in front of it and behind it: where they and the sizes are multiples of 4, kernels take vectors. */
  readonly beside: readonly [before: number, after: number];
  /** What the loss is made of, so that gradients come from there. */
  readonly uses: readonly ("error" | "sums" | "total" | "loss" | "reconstruction" | "features")[];
  readonly seed: number;
}

const about = {
  rows: fc.constantFrom(1, 2, 63, 65, 130, 300),
  centered: fc.boolean(),
  uses: fc.subarray(["error", "sums", "total", "loss", "reconstruction", "features"] as const, { minLength: 1 }),
  seed: seed(),
};
/** Nothing but multiples of 4. */
const aligned: fc.Arbitrary<Case> = fc.record({
  ...about,
  width: fc.constantFrom(4, 20, 28, 32, 36, 60, 64, 72),
  features: fc.constantFrom(4, 28, 32, 36, 60, 64, 68, 132),
  beside: fc.tuple(fc.constantFrom(0, 4, 8), fc.constantFrom(0, 4)),
});
/** Any sizes; one of them, the offset or the stride alone may be what is no multiple of 4. */
const any: fc.Arbitrary<Case> = fc.record({
  ...about,
  width: fc.constantFrom(1, 5, 31, 32, 33, 64, 70),
  features: fc.constantFrom(1, 4, 31, 33, 64, 70),
  beside: fc.tuple(fc.constantFrom(0, 1, 2, 4), fc.constantFrom(0, 3, 4)),
});
const cases = fc.oneof({ withCrossShrink: true }, any, aligned);

const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });

/** Everything that is given: x, We, be, Wd, bd, and what the outputs are weighted with in the loss; weights of unused outputs are 0. */
function given({ rows, width, features, uses, seed }: Case) {
  const draw = (stream: number, shape: number[], isUsed = true): Nd =>
    map(seededValues(seed + stream, shape), (v) => Math.fround(Number(isUsed) * v));
  return {
    x: draw(0, [rows, width]),
    encoder: draw(1, [width, features]),
    encoderBias: draw(2, [features]),
    decoder: draw(3, [features, width]),
    decoderBias: draw(4, [width]),
    ofError: draw(5, [1], uses.includes("error")),
    ofSums: draw(6, [features], uses.includes("sums")),
    ofTotal: draw(9, [1], uses.includes("total")),
    ofLoss: draw(10, [1], uses.includes("loss")),
    ofReconstruction: draw(7, [rows, width], uses.includes("reconstruction")),
    ofFeatures: draw(8, [rows, features], uses.includes("features")),
  };
}

const SCALE = 0.25;
const TOTAL_SCALE = 0.75;

/**
 * The formulas in float64, with the derivative of the ReLU taken at `isOn [B, F]`. With `minus` 1 and the inputs' absolute values: the
 * magnitudes that bound the rounding errors.
 */
function formulas(about: Case, g: ReturnType<typeof given>, { isOn, minus }: { isOn: ArrayLike<number>; minus: 1 | -1 }) {
  const { rows: B, width: D, features: F, centered } = about;
  const out = {
    features: nd([B, F]),
    sums: nd([F]),
    reconstruction: nd([B, D]),
    error: nd([]),
    total: nd([]),
    loss: nd([]),
    encoder: nd([D, F]),
    encoderBias: nd([F]),
    decoder: nd([F, D]),
    decoderBias: nd([D]),
  };
  for (let b = 0; b < B; b++) {
    const x = (d: number): number => g.x.data[b * D + d]!;
    const input = (d: number): number => x(d) + (centered ? minus * g.decoderBias.data[d]! : 0);
    for (let f = 0; f < F; f++) {
      let sum = g.encoderBias.data[f]!;
      for (let d = 0; d < D; d++) sum += input(d) * g.encoder.data[d * F + f]!;
      out.features.data[b * F + f] = Math.max(0, sum);
      out.sums.data[f]! += Math.max(0, sum);
      out.total.data[0]! += TOTAL_SCALE * Math.max(0, sum);
    }
    const slope: number[] = [];
    for (let d = 0; d < D; d++) {
      let y = g.decoderBias.data[d]!;
      for (let f = 0; f < F; f++) y += out.features.data[b * F + f]! * g.decoder.data[f * D + d]!;
      out.reconstruction.data[b * D + d] = y;
      const e = y + minus * x(d);
      out.error.data[0]! += SCALE * e * e;
      slope.push(2 * SCALE * (g.ofError.data[0]! + g.ofLoss.data[0]!) * e + g.ofReconstruction.data[b * D + d]!);
      out.decoderBias.data[d]! += slope[d]!;
    }
    for (let f = 0; f < F; f++) {
      let own = g.ofSums.data[f]! + TOTAL_SCALE * (g.ofTotal.data[0]! + g.ofLoss.data[0]!) + g.ofFeatures.data[b * F + f]!;
      for (let d = 0; d < D; d++) {
        own += slope[d]! * g.decoder.data[f * D + d]!;
        out.decoder.data[f * D + d]! += out.features.data[b * F + f]! * slope[d]!;
      }
      if (!isOn[b * F + f]) continue;
      out.encoderBias.data[f]! += own;
      for (let d = 0; d < D; d++) {
        out.encoder.data[d * F + f]! += input(d) * own;
        if (centered) out.decoderBias.data[d]! += minus * g.encoder.data[d * F + f]! * own;
      }
    }
  }
  out.loss.data[0] = out.error.data[0]! + out.total.data[0]!;
  return out;
}

const trained = ["encoder", "encoderBias", "decoder", "decoderBias"] as const;

/** Runs a case forward and backward, and gives everything that came out. */
async function run(c: Case, g: ReturnType<typeof given>) {
  // Rows in the middle of a wider tensor: nothing beside them may leak in.
  const [before, after] = c.beside;
  const row = before + c.width + after;
  const wide = nd([c.rows, row], new Float64Array(c.rows * row).fill(Number.NaN));
  for (let i = 0; i < g.x.data.length; i++) wide.data[Math.floor(i / c.width) * row + before + (i % c.width)] = g.x.data[i]!;
  const x = upload(wide).narrow(1, { start: before, length: c.width });
  const leaf = (name: (typeof trained)[number]): Tensor => {
    const t = upload(g[name]);
    t.requiresGrad = true;
    return t;
  };
  const parameters = {
    encoder: leaf("encoder"),
    encoderBias: leaf("encoderBias"),
    decoder: leaf("decoder"),
    decoderBias: leaf("decoderBias"),
  };
  const outputs = reluAutoencoder(x, parameters, { centered: c.centered, errorScale: SCALE, totalScale: TOTAL_SCALE });
  const parts = {
    error: () => outputs.error.mul(upload(g.ofError)).sum(),
    sums: () => outputs.sums.mul(upload(g.ofSums)).sum(),
    total: () => outputs.total.mul(upload(g.ofTotal)).sum(),
    loss: () => outputs.loss.mul(upload(g.ofLoss)).sum(),
    reconstruction: () => outputs.reconstruction.mul(upload(g.ofReconstruction)).sum(),
    features: () => outputs.features.mul(upload(g.ofFeatures)).sum(),
  };
  const loss = c.uses.map((name) => parts[name]()).reduce((a, b) => a.add(b));
  loss.backward();
  const found: Record<string, ArrayLike<number>> = {};
  for (const [name, t] of Object.entries(outputs)) found[name] = await t.data();
  // A decoder, say, that only sums depend on gets no gradient from the ordinary ops, and zeros from the fused ones.
  const gradients: Record<string, ArrayLike<number>> = {};
  for (const name of trained) gradients[name] = (await parameters[name].grad?.data()) ?? new Float32Array(g[name].data.length);
  return { found, gradients };
}

async function agrees(c: Case): Promise<void> {
  const g = given(c);
  const { found, gradients } = await run(c, g);
  const isOn = Array.from(found.features!, (v) => Number(v > 0));
  const exact = formulas(c, g, { isOn, minus: -1 });
  const absolute = Object.fromEntries(Object.entries(g).map(([name, x]) => [name, map(x, Math.abs)])) as unknown as typeof g;
  const magnitudes = formulas(c, absolute, { isOn, minus: 1 });
  // The longest chain of roundings: three products, one after another, over D, F and B, a sum over F, and a dozen steps beside.
  const length = 2 * (2 * c.width + 2 * c.features + c.rows + 12);
  const close = (values: ArrayLike<number>, name: keyof typeof exact): void =>
    expectClose(values, exact[name], dotBound(length, magnitudes[name]));
  for (const name of ["features", "sums", "reconstruction", "error", "total", "loss"] as const) close(found[name]!, name);
  const counts = Array.from({ length: c.features }, (_, f) => isOn.reduce((sum, on, i) => sum + (i % c.features === f ? on : 0), 0));
  expect([...(found.counts as Float32Array)]).toEqual(counts);
  for (const name of trained) close(gradients[name]!, name);
}

describe("reluAutoencoder", () => {
  for (const family of ["portable", "panel", "tile"] as const) {
    it(`agrees with its formulas in float64, forward and backward (${family})`, async ({ skip }) => {
      skip(!device.hasFamily(family), "no subgroups of a fixed size");
      device.family = family;
      await fc.assert(fc.asyncProperty(cases, agrees), runs(family === "panel" ? 40 : 8));
    });
  }

  it("takes more rows than one workgroup adds up", async () => {
    const many = { rows: 9000, centered: true, beside: [0, 0], uses: ["error", "sums"], seed: 4 } as const;
    await agrees({ ...many, width: 3, features: 5 });
    await agrees({ ...many, width: 4, features: 8 });
  });

  it("gives the same bits every time", async () => {
    const about = { rows: 700, width: 64, centered: true, beside: [0, 0], uses: ["error", "sums"], seed: 5 } as const;
    for (const features of [70, 72]) {
      const c: Case = { ...about, features };
      const [first, second] = [await run(c, given(c)), await run(c, given(c))];
      expect(first).toEqual(second);
    }
  });

  it("takes vectors where sizes, offset and stride are multiples of 4, and nowhere else", async ({ skip }) => {
    skip(!device.hasFamily("panel"), "no subgroups of a fixed size");
    device.family = "panel";
    const launched = vi.spyOn(device, "run");
    const formsOf = async (c: Case): Promise<unknown[]> => {
      launched.mockClear();
      await run(c, given(c));
      return launched.mock.calls.flatMap(
        ([
          {
            shader,
            defines: { VEC },
          },
        ]) => (shader.startsWith("relu_autoencoder") && VEC !== undefined ? [VEC] : []),
      );
    };
    const c: Case = { rows: 3, width: 8, features: 12, centered: true, beside: [4, 8], uses: ["error", "sums"], seed: 8 };
    const others: Partial<Case>[] = [{ width: 7, beside: [4, 5] }, { features: 10 }, { beside: [2, 2] }, { beside: [4, 1] }];
    try {
      expect(await formsOf(c)).toEqual([true, true, true, true]);
      for (const other of others) expect(await formsOf({ ...c, ...other })).toEqual([false, false, false, false]);
    } finally {
      launched.mockRestore();
    }
  });

  it("lets NaN through to its own feature, and does not count it", async () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const [encoderBias, decoderBias] = [tensor([0, Number.NaN, 0, -100]), tensor([0, 0])];
    const weights = {
      encoder: tensor(new Float32Array(8).fill(1), { shape: [2, 4] }),
      decoder: tensor(new Float32Array(8), { shape: [4, 2] }),
    };
    const { features, sums, counts } = reluAutoencoder(x, { ...weights, encoderBias, decoderBias });
    expect([...(await features.data())]).toEqual([3, Number.NaN, 3, 0, 7, Number.NaN, 7, 0]);
    expect([...(await sums.data())]).toEqual([10, Number.NaN, 10, 0]);
    expect([...(await counts.data())]).toEqual([2, 0, 2, 0]);
  });

  it.for([9, 12])("trains in captured steps that rely on no memory they have not written (%i columns)", async (width) => {
    const c: Case = { rows: 40, width, features: 20, centered: true, beside: [0, 0], uses: ["error", "sums"], seed: 6 };
    const g = given(c);
    const step = capture(
      (x: Tensor) => {
        const parameters = Object.fromEntries(trained.map((name) => [name, upload(g[name])])) as Record<(typeof trained)[number], Tensor>;
        for (const t of Object.values(parameters)) t.requiresGrad = true;
        const { error, sums } = reluAutoencoder(x, parameters, { errorScale: SCALE });
        error
          .mul(upload(g.ofError))
          .sum()
          .add(sums.mul(upload(g.ofSums)).sum())
          .backward();
        return trained.map((name) => parameters[name].grad!);
      },
      { poison: true },
    );
    const { gradients } = await run(c, g);
    for (let i = 0; i < 2; i++) {
      const found = await step(upload(g.x));
      for (const [at, name] of trained.entries()) expect(await found[at]!.data()).toEqual(gradients[name]);
    }
  });

  it("gives x its gradient", async () => {
    const x = tensor([[1, -2]]);
    x.requiresGrad = true;
    const weights = { encoder: tensor([[1], [1]]), encoderBias: tensor([3]), decoder: tensor([[2, 0]]), decoderBias: tensor([0, 0]) };
    reluAutoencoder(x, weights).error.backward(); // f = 2, y − x = (3, 2), df/dx = (1, 1)
    expect(await x.grad!.array()).toEqual([[2 * 3 * (2 - 1) + 0, 2 * 3 * 2 - 2 * 2]]);
  });

  it("refuses what does not fit", () => {
    const fits = { encoder: tensor([[1, 1]]), encoderBias: tensor([0, 0]), decoder: tensor([[1], [1]]), decoderBias: tensor([0]) };
    expect(() => reluAutoencoder(tensor([[1, 2]]), fits)).toThrow(ShapeError);
    expect(() => reluAutoencoder(tensor([[1]]), { ...fits, encoderBias: tensor([1]) })).toThrow("expected encoderBias [2]");
    expect(() => reluAutoencoder(tensor([[1]], { dtype: "i32" }), fits)).toThrow(DTypeError);
  });

  const about: Omit<Case, "width" | "beside"> = { rows: 70, features: 40, centered: true, uses: ["error", "sums"], seed: 7 };
  const forms: [string, Case][] = [
    ["by elements", { ...about, width: 33, beside: [1, 0] }],
    ["by vectors", { ...about, width: 36, beside: [4, 0] }],
  ];
  const controls: [string, ShaderName, RegExp, string, Partial<Case>?][] = [
    ["an encoder that is not centered", "relu_autoencoder_encode", /x_at\(start \+ d_(\d)\) - center_\d/g, "x_at(start + d_$1)"],
    ["an offset that is forgotten", "relu_autoencoder_encode", /params\.xOffset \+/g, ""],
    ["a feature that is lost at the end", "relu_autoencoder_encode", /row <= endRow/, "row < endRow"],
    ["columns that are not measured", "relu_autoencoder", /sum \+= difference;/, "sum += difference * vec4f(1.0, 1.0, 1.0, 0.0);"],
    ["a gradient that passes a closed ReLU", "relu_autoencoder_backward", /select\(g_(\d_\d), vec4f\(\), f_\d_\d <= vec4f\(\)\)/g, "g_$1"],
    ["a gradient without that of the sums", "relu_autoencoder_backward", /\+ dsum_\d/g, ""],
    ["a gradient without that of the features", "relu_autoencoder_backward", /g_\d_\d \+= df.*;/g, "", { uses: ["features"] }],
    ["a row that is counted twice", "relu_autoencoder_backward", /, isRow_(\d)\)/g, ", true)", { rows: 69, uses: ["sums"] }],
    ["a gradient of the total without its factor", "relu_autoencoder_backward", /params\.sumsScale \* /g, "", { uses: ["total"] }],
    ["squares that are left out", "relu_autoencoder", /i < params\.stretches \* params\.width/, "i < params.stretches * params.width / 2u"],
    [
      "features that the total leaves out",
      "relu_autoencoder",
      /i < params\.splits \* params\.features/,
      "i < params.splits * params.features / 2u",
    ],
    ["a center that gets no gradient", "relu_autoencoder", /ofCenter = fma\(encoder.*\);/, ""],
    ["a loss without its error", "relu_autoencoder", /lane != 2u/, "lane == 1u"],
    ["a lost stretch of rows", "relu_autoencoder", /split < params\.splits; split/, "split + 1u < params.splits; split"],
    ["a slope that is forgotten", "relu_autoencoder_backward", /return params\.scale \* slope\[0\]/, "return params.scale"],
    [
      "a slope that its decoder bias does not get",
      "relu_autoencoder",
      /return params\.scale \* slope\[0\]/,
      "return params.scale",
      { centered: false, uses: ["error"] },
    ],
  ];
  for (const [form, base] of forms) {
    it.for(controls)(`is caught with %s (${form})`, async ([_what, shader, find, replace, special], { skip }) => {
      skip(!device.hasFamily("panel"), "no subgroups of a fixed size");
      device.family = "panel";
      const c = { ...base, ...special };
      await agrees(c);
      await withMutation(shader, [find, replace], () => expect(agrees(c)).rejects.toThrow());
    });
  }
});
