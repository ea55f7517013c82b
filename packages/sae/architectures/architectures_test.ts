import { cat, type Device, openDevice, tensor } from "@cursive/tensor";
import {
  directionalDerivative,
  epsilon,
  expectAdjoint,
  expectClose,
  type Nd,
  nd,
  runs,
  scalar,
  seed,
  seededValues,
} from "@cursive/tensor/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae, type SaeConfig } from "../create_sae.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { decide, type FullConfig, isCertain, lossesOf, type Params, thresholdGradient } from "../testing/oracle.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

/** A configuration without its sizes. */
type Variant = SaeConfig extends infer C ? (C extends SaeConfig ? Omit<C, "dIn" | "dSae"> : never) : never;

const variants: readonly Variant[] = [
  { architecture: "standard", l1Coefficient: 0.3 },
  { architecture: "standard", l1Coefficient: 3e-3, l1Reduction: "sum", decoderConstraint: "none" },
  { architecture: "standard", l1Coefficient: 0.3, decoderConstraint: "none", applyBDecToInput: false },
  { architecture: "topk", k: 3, kAux: 2, auxCoefficient: 0.5 },
  { architecture: "batchtopk", k: 1.5, kAux: 2 },
  { architecture: "batchtopk", k: 2, kAux: 4, selectionRows: 3 },
  { architecture: "jumprelu", sparsity: "tanh", l0Coefficient: 0.4, preActCoefficient: 0.1, bandwidth: 0.7 },
  { architecture: "jumprelu", sparsity: "step", l0Coefficient: 0.4, bandwidth: 0.5 },
  { architecture: "gated", l1Coefficient: 0.3 },
  { architecture: "gated", l1Coefficient: 0.3, decoderConstraint: "none" },
  { architecture: "matryoshka", k: 2, kAux: 2 },
];

const cases = fc.record({
  variant: fc.constantFrom(...variants),
  rows: fc.constantFrom(3, 6, 18, 66),
  dIn: fc.constantFrom(1, 3, 8, 13),
  dSae: fc.constantFrom(8, 11, 33, 64),
  withDead: fc.boolean(),
  seed: seed(),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

/** Random numbers for every parameter: biases and thresholds too, so that nothing hides behind a zero. */
async function randomize(sae: SparseAutoencoder, from: number): Promise<Params> {
  const params: Record<string, Nd> = {};
  let next = from;
  for (const [name, parameter] of sae.namedParameters()) {
    const scale = name === "W_enc" || name === "W_dec" ? 0.7 : 0.3;
    const drawn = seededValues(next++, parameter.shape);
    const values = drawn.data.map((v) => {
      if (name === "threshold") return Math.fround(0.1 + 0.3 * Math.abs(v));
      // A decoder row of one element has the kink of its norm at 0, and finite differences reach 10⁻⁵ · 2 · |v| · max|W| < 10⁻³ far.
      return Math.fround(scale * v + (name === "W_dec" ? Math.sign(v) * 1e-3 : 0));
    });
    params[name] = nd(parameter.shape, values);
    parameter.load({ shape: parameter.shape, dtype: "f32", data: Float32Array.from(values) });
  }
  return params;
}

async function agrees({ variant, rows, dIn, dSae, withDead, seed }: Case): Promise<void> {
  const sae = createSae({ ...variant, dIn, dSae } as SaeConfig);
  const config: FullConfig = { ...sae.config, architecture: sae.architecture } as never;
  const params = await randomize(sae, seed);
  const x = seededValues(seed + 50, [rows, dIn]);
  const dead = withDead
    ? nd(
        [dSae],
        Float64Array.from({ length: dSae }, (_, f) => Number(f % 3 === 0)),
      )
    : undefined;
  // Where a decision is within f32's roundings of changing, f32 may rightly decide otherwise, as in one case of 300.
  fc.pre(isCertain(config, params, { x, dead }));
  const decisions = decide(config, params, { x, dead });
  const want = lossesOf(config, params, { x, decisions });

  const output = sae.forward(tensor(Float32Array.from(x.data), { shape: x.shape }), {
    ...(dead && { dead: tensor(Uint8Array.from(dead.data)) }),
  });
  // A pre-activation is a dot product of length D and a shift, x̂ one of length F, losses are sums of B·max(D, F) squares or features.
  const tolerance = 16 * epsilon * (rows + dIn + dSae);
  const size = Math.max(1, ...want.features.data);
  expectClose(await output.features.data(), want.features, tolerance * size);
  expectClose(await output.reconstruction.data(), want.reconstruction, tolerance * size * dSae);
  expect(Object.keys(output.losses).sort()).toEqual(Object.keys(want.losses).sort());
  for (const [name, value] of Object.entries(want.losses)) {
    expectClose([await output.losses[name]!.item()], [value], tolerance * (Math.abs(value) + want.losses.l2!));
  }
  const sum = Object.values(want.losses).reduce((a, b) => a + b, 0);
  expectClose([await output.loss.item()], [sum], tolerance * (sum + want.losses.l2!));

  output.loss.backward();
  for (const [name, parameter] of sae.namedParameters()) {
    const gradient = { data: await parameter.grad!.data() };
    const loss = (value: Nd): Nd => {
      const { losses } = lossesOf(config, { ...params, [name]: value }, { x, decisions });
      return scalar(Object.values(losses).reduce((a, b) => a + b, 0));
    };
    const direction = seededValues(seed + 77, parameter.shape);
    const derivative = directionalDerivative(loss, [params[name]!], [direction]);
    if (name === "threshold") {
      const through = thresholdGradient(config, params, x); // what fires is held, so the derivative has no part of it
      derivative.data[0]! += through.data.reduce((s, g, f) => s + g * direction.data[f]!, 0);
    }
    expectAdjoint({ derivative, cotangent: { data: [1] }, gradients: [gradient], directions: [direction] }, { tolerance: 4 * tolerance });
  }
}

describe("every architecture", () => {
  it("has the losses and gradients of its formulas", async () => {
    await fc.assert(fc.asyncProperty(cases, agrees), runs(60));
  });

  it.each(variants)("has losses of chunks that add up to the batch's, with their gradients: $architecture", async (variant) => {
    const sae = createSae({ ...variant, dIn: 5, dSae: 16, selectionRows: 6 } as SaeConfig);
    await randomize(sae, 4);
    const x = tensor(Float32Array.from(seededValues(9, [18, 5]).data), { shape: [18, 5] });
    const dead = tensor(Uint8Array.from({ length: 16 }, (_, f) => Number(f % 4 === 0)));
    const whole = sae.forward(x, { dead });
    whole.loss.backward();
    const gradients = new Map([...sae.namedParameters()].map(([name, p]) => [name, p.grad!]));
    sae.zeroGrad();
    let sum = 0;
    for (const [start, length] of [
      [0, 6],
      [6, 12],
    ] as const) {
      const { loss } = sae.forward(x.narrow(0, { start, length }), { dead, rows: 18 });
      loss.backward();
      sum += await loss.item();
    }
    const total = await whole.loss.item();
    expectClose([sum], [total], 100 * epsilon * total);
    for (const [name, parameter] of sae.namedParameters()) {
      const expected = await gradients.get(name)!.data();
      const size = Math.max(...expected.map(Math.abs));
      expectClose(await parameter.grad!.data(), Array.from(expected), 200 * epsilon * size);
    }
  });

  it.each(variants)("costs a row the same in a batch that is twice as large, unless a sum is asked for: $architecture", async (variant) => {
    const sae = createSae({ ...variant, dIn: 5, dSae: 16, selectionRows: 6 } as SaeConfig);
    await randomize(sae, 4);
    const x = tensor(Float32Array.from(seededValues(9, [18, 5]).data), { shape: [18, 5] });
    const dead = tensor(Uint8Array.from({ length: 16 }, (_, f) => Number(f % 4 === 0)));
    const [once, twice] = [sae.forward(x, { dead }), sae.forward(cat([x, x]), { dead })];
    expect(Object.keys(once.losses).some((name) => name === "aux" || name === "preAct")).toBe(
      sae.looksAfterDead || variant.architecture === "gated",
    );
    for (const [name, loss] of Object.entries(once.losses)) {
      const isSum = name === "l1" && "l1Reduction" in variant && variant.l1Reduction === "sum";
      const value = await loss.item();
      expectClose([await twice.losses[name]!.item()], [(isSum ? 2 : 1) * value], 200 * epsilon * Math.abs(value));
    }
  });
});

const make = (config: Variant & { dIn?: number; dSae?: number }): SparseAutoencoder =>
  createSae({ dIn: 6, dSae: 20, ...config } as SaeConfig);
const rowsOf = (seed: number, rows = 30): ReturnType<typeof tensor> =>
  tensor(Float32Array.from(seededValues(seed, [rows, 6]).data), { shape: [rows, 6] });
const count = (data: ArrayLike<number>): number => Array.from(data).filter((v) => v !== 0).length;

describe("AuxK", () => {
  it("gives dead latents a gradient although they do not fire, and b_dec none through the decoder", async () => {
    const sae = make({ architecture: "topk", k: 2, kAux: 3, applyBDecToInput: false });
    const params = await randomize(sae, 1);
    const b_enc = Float32Array.from(params.b_enc!.data, (v, f) => (f < 4 ? -50 : v)); // far below anything that fires
    sae.getParameter("b_enc").load({ shape: [20], dtype: "f32", data: b_enc });
    const dead = tensor(Uint8Array.from({ length: 20 }, (_, f) => Number(f < 4)));
    const { losses, features } = sae.forward(rowsOf(2), { dead });
    const fired = await features.sum({ axis: 0 }).data();
    expect([...fired.slice(0, 4)]).toEqual([0, 0, 0, 0]);
    losses.aux!.backward();
    expect((await sae.getParameter("b_enc").grad!.data()).slice(0, 4).every((g) => g !== 0)).toBe(true);
    const columns = Array.from(await sae.W_enc.grad!.data(), (g) => g !== 0);
    expect(columns).toEqual(Array.from({ length: 6 * 20 }, (_, i) => i % 20 < 4)); // all of the dead ones, and no others
    expect(sae.b_dec.grad).toBeNull();
  });

  it("costs nothing where no latent is dead", async () => {
    const { losses } = make({ architecture: "topk", k: 2 }).forward(rowsOf(3), { dead: tensor(new Uint8Array(20)) });
    expect(await losses.aux!.item()).toBe(0);
  });
});

describe("TopK", () => {
  it("fires at most k latents on a row, in whatever order the latents stand", async () => {
    const sae = make({ architecture: "topk", k: 3 });
    const state = await sae.stateDict();
    const x = rowsOf(5);
    const features = await sae.encode(x).data();
    for (let r = 0; r < 30; r++) expect(count(features.slice(r * 20, (r + 1) * 20))).toBeLessThanOrEqual(3);
    const turned = (data: ArrayLike<number>, rows: number): Float32Array =>
      Float32Array.from({ length: rows * 20 }, (_, i) => data[Math.floor(i / 20) * 20 + (((i % 20) + 7) % 20)]!);
    state.set("W_enc", { shape: [6, 20], dtype: "f32", data: turned(state.get("W_enc")!.data, 6) });
    sae.loadStateDict(state);
    expect([...(await sae.encode(x).data())]).toEqual([...turned(features, 30)]);
  });
});

describe("BatchTopK", () => {
  it("fires k latents on a row on average, and at inference as many by its threshold", async () => {
    const sae = make({ architecture: "batchtopk", k: 2.5, thresholdRate: 0.5, dSae: 64 });
    await randomize(sae, 8);
    const x = rowsOf(6, 100);
    for (let i = 0; i < 3; i++) {
      const output = sae.forward(x);
      expect(count(await output.features.data())).toBe(250);
      sae.afterStep([output]);
    }
    expect(count(await sae.encode(x).data())).toBe(249); // the threshold itself is the least that stayed
    const saved = await sae.stateDict();
    expect(saved.get("topk_threshold")!.data[0]).toBeGreaterThan(0);
    const other = make({ architecture: "batchtopk", dSae: 64 });
    other.loadStateDict(saved);
    expect([...(await other.encode(x).data())]).toEqual([...(await sae.encode(x).data())]);
  });

  it.each([0, 10])(
    "learns its threshold from the least activations above 0, however few, and nothing where none are: %i",
    async (selectionRows) => {
      const sae = make({ architecture: "batchtopk", k: 4, selectionRows, thresholdRate: 0.25 });
      await randomize(sae, 8);
      const shift = (by: number): void =>
        sae.getParameter("b_enc").load({ shape: [20], dtype: "f32", data: new Float32Array(20).fill(by) });
      const threshold = async (): Promise<number> => (await sae.stateDict()).get("topk_threshold")!.data[0]!;
      const x = rowsOf(6);
      const seen = async (): Promise<number> => {
        const output = sae.forward(x);
        sae.afterStep([output]);
        const features = Array.from(await output.features.data());
        expect(count(features)).toBeLessThan(4 * 30); // fewer are above 0 than have a place
        const size = 20 * (selectionRows || 30);
        const groups = Array.from({ length: 600 / size }, (_, g) => features.slice(g * size, (g + 1) * size).filter((v) => v > 0));
        const least = groups.filter(({ length }) => length > 0).map((group) => Math.min(...group));
        return least.reduce((a, b) => a + b, 0) / least.length;
      };
      shift(-100);
      await seen();
      expect(await threshold()).toBe(-1); // nothing has fired yet
      shift(-1.7);
      const first = await seen();
      expect(first).toBeGreaterThan(0);
      expect(await threshold()).toBeCloseTo(first, 6);
      shift(-2);
      const second = await seen();
      expect(await threshold()).toBeCloseTo(0.75 * first + 0.25 * second, 6);
      shift(-100);
      await seen();
      expect(await threshold()).toBeCloseTo(0.75 * first + 0.25 * second, 6);
    },
  );

  it("refuses a batch that does not divide into its groups, and chunks of one that has none", () => {
    expect(() => make({ architecture: "batchtopk" }).forward(rowsOf(1), { rows: 60 })).toThrow(
      "Expected selectionRows for a batch of 60 rows in chunks of 30: all of them would have to compete",
    );
    const sae = make({ architecture: "batchtopk", selectionRows: 7 });
    expect(() => sae.forward(rowsOf(1))).toThrow("Expected a multiple of 7 rows (selectionRows) but found 30");
  });
});

describe("the sparsity warm-up", () => {
  it.each(variants.filter((v) => "l1Coefficient" in v || "l0Coefficient" in v))(
    "scales the sparsity term alone: $architecture",
    async (variant) => {
      const sae = make(variant);
      await randomize(sae, 3);
      const [full, half] = [sae.forward(rowsOf(1)), sae.forward(rowsOf(1), { sparsityScale: tensor(0.5) })];
      for (const name of Object.keys(full.losses)) {
        const share = (await half.losses[name]!.item()) / (await full.losses[name]!.item());
        expect(share).toBeCloseTo(name === "l1" || name === "l0" ? 0.5 : 1, 6);
      }
    },
  );
});

describe("createSae", () => {
  it("names the nearest architecture", () => {
    expect(() => createSae({ architecture: "jumpreul" as "jumprelu", dIn: 4, dSae: 8 })).toThrow(
      "Expected an architecture but found 'jumpreul'; the nearest is 'jumprelu', and there are standard, topk, batchtopk, jumprelu, gated, matryoshka",
    );
  });

  it("refuses sizes that make no autoencoder", () => {
    expect(() => make({ architecture: "standard", dSae: 0 })).toThrow("Expected dSae to be a positive whole number but found 0");
    expect(() => make({ architecture: "topk", k: 21 })).toThrow("Expected k in 1…20 (dSae) but found 21");
    expect(() => make({ architecture: "topk", kAux: 21 })).toThrow("Expected kAux in 1…20 (dSae) but found 21");
    expect(() => make({ architecture: "matryoshka", widths: [5, 5, 20] })).toThrow(
      "Expected widths that rise to 20 (dSae) but found [5, 5, 20]",
    );
    expect(() => make({ architecture: "standard" }).forward(tensor([[1, 2]]))).toThrow("Expected activations [B, 6] but found [1, 2]");
  });

  it("starts the notebook's weights as torch's kaiming_uniform_ does, its decoder rows at norm 1", async () => {
    const sae = make({ architecture: "standard", init: "kaiming" });
    const [encoder, decoder] = [await sae.W_enc.data(), await sae.W_dec.data()];
    const bound = Math.sqrt(6 / 20);
    expect(Math.max(...encoder.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...encoder.map(Math.abs))).toBeGreaterThan(0.9 * bound);
    for (let f = 0; f < 20; f++) expect(Math.hypot(...decoder.slice(6 * f, 6 * f + 6))).toBeCloseTo(1, 6);
  });

  it("starts other weights tied, differently for each seed", async () => {
    const [a, b] = [make({ architecture: "topk", decoderInitNorm: 0.1 }), make({ architecture: "topk", seed: 1 })];
    expect([...(await a.W_enc.data())]).toEqual([...(await a.W_dec.transpose(0, 1).data())]);
    expect(Math.hypot(...(await a.W_dec.data()).slice(0, 6))).toBeCloseTo(0.1, 6);
    expect([...(await a.W_dec.data())]).not.toEqual([...(await b.W_dec.data())]);
  });
});
