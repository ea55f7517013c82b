import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ones, tensor } from "../../create.ts";
import type { Device, KernelFamily } from "../../device/device.ts";
import { withMutation } from "../../device/kernel.ts";
import { openDevice } from "../../device/open.ts";
import type { Tensor } from "../../tensor.ts";
import {
  applyView,
  dimension,
  dotBound,
  expectClose,
  type Nd,
  nd,
  oracle,
  runs,
  seed,
  seededValues,
  type View,
  view,
  viewed,
  zip,
} from "../../testing/mod.ts";
import { linearGradients } from "./linear_gradients.ts";

let device: Device;
let adapterFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  adapterFamily = device.family;
});

const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });

interface Case {
  readonly x: View;
  readonly weight: View;
  readonly g: View;
  readonly times: boolean;
  readonly residual: View | undefined;
  readonly seed: number;
}

const plain = (shape: number[]): View => ({ shape, base: shape, steps: [] });

/** Layers whose rows, columns and outputs surround what workgroups, panels and lanes hold. */
interface Drawn {
  readonly ins: fc.Arbitrary<number>;
  readonly outs: fc.Arbitrary<number>;
  readonly seen: (shape: number[]) => fc.Arbitrary<View>;
}
/** Rows that can be read in fours, */
const inFours: Drawn = {
  ins: fc.constantFrom(4, 8, 28, 32, 36, 64, 68),
  outs: fc.constantFrom(4, 32, 60, 64, 68, 128, 132, 256),
  seen: (shape) => fc.constant(plain(shape)),
};
/** and all others: both forms in one property would be too many kernels to compile in its time. */
const anyhow: Drawn = {
  ins: dimension({ max: 70 }),
  outs: fc.oneof(dimension({ max: 131 }), fc.constantFrom(255, 256, 257)),
  seen: (shape) => view(shape),
};

const cases = ({ ins, outs, seen }: Drawn): fc.Arbitrary<Case> =>
  fc
    .record({ rows: fc.oneof(dimension({ max: 131 }), fc.constantFrom(249, 250, 499, 500, 1100)), ins, outs })
    .chain(({ rows, ins, outs }) =>
      fc.record({
        x: seen([rows, ins]),
        weight: view([outs, ins]),
        g: seen([rows, outs]),
        times: fc.boolean(),
        residual: fc.option(seen([rows, ins]), { nil: undefined }),
        seed: seed(),
      }),
    );

async function agrees({ x, weight, g, times, residual, seed }: Case): Promise<void> {
  const base = (v: View, i: number): Nd => seededValues(seed + i, v.base);
  const [X, W, G] = [viewed(base(x, 0), x), viewed(base(weight, 1), weight), viewed(base(g, 2), g)];
  const [rows, outs] = G.shape as [number, number];
  const factors = seededValues(seed + 3, X.shape);
  const found = linearGradients(
    {
      x: applyView(upload(base(x, 0)), x),
      weight: applyView(upload(base(weight, 1)), weight),
      g: applyView(upload(base(g, 2)), g),
      times: times ? upload(factors) : undefined,
      residual: residual && applyView(upload(base(residual, 4)), residual),
    },
    { x: true, weight: true, bias: true },
  );

  let dx = oracle.matmul(G, W);
  let bound = dotBound(outs + 2, oracle.matmul(oracle.abs(G), oracle.abs(W)));
  if (times) {
    dx = oracle.mul(dx, factors);
    bound = zip(oracle.mul(bound, oracle.abs(factors)), oracle.abs(dx), (passed, size) => passed + size * 2 ** -22);
  }
  if (residual) {
    const R = viewed(base(residual, 4), residual);
    dx = oracle.add(dx, R);
    bound = oracle.add(bound, dotBound(1, oracle.add(oracle.abs(dx), oracle.abs(R))));
  }
  expectClose(await found.dx!.data(), dx, bound);

  const GT = oracle.permute(G, [1, 0]);
  expectClose(await found.dWeight!.data(), oracle.matmul(GT, X), dotBound(rows + 2, oracle.matmul(oracle.abs(GT), oracle.abs(X))));
  const all = nd([rows, 1], new Array<number>(rows).fill(1));
  expectClose(await found.dBias!.data(), oracle.matmul(GT, all), dotBound(rows + 2, oracle.matmul(oracle.abs(GT), all)));
}

async function on(family: KernelFamily, body: () => Promise<void>): Promise<void> {
  device.family = family;
  try {
    await body();
  } finally {
    device.family = adapterFamily;
  }
}

const example = (ins: number, outs: number): Case => ({
  x: plain([300, ins]),
  weight: plain([outs, ins]),
  g: plain([300, outs]),
  times: true,
  residual: plain([300, ins]),
  seed: 5,
});

describe("linearGradients", () => {
  it.each(["panel", "portable", "tile"] as const)("agrees with float64, whatever the sizes and layouts (%s)", (family) =>
    on(family, () => fc.assert(fc.asyncProperty(cases(anyhow), agrees), runs(family === "panel" ? 40 : 15))),
  );

  it("agrees with float64 where rows are read in fours", () => fc.assert(fc.asyncProperty(cases(inFours), agrees), runs(40)));

  it("takes one walk over the rows, and a launch for the sums", async ({ skip }) => {
    skip(!device.hasFamily("panel"), "no subgroups of a fixed size");
    await on("panel", async () => {
      const layer = { x: ones([1000, 64]), weight: ones([192, 64]), g: ones([1000, 192]) };
      const before = device.stats().dispatches;
      linearGradients(layer, { x: true, weight: true, bias: true });
      expect(device.stats().dispatches - before).toBe(2);
    });
  });

  it("gives the same bits every time", async () => {
    const [x, weight, g] = [
      [700, 40],
      [130, 40],
      [700, 130],
    ].map((shape, i) => upload(seededValues(i, shape))) as [Tensor, Tensor, Tensor];
    const once = async () => {
      const { dx, dWeight, dBias } = linearGradients({ x, weight, g }, { x: true, weight: true, bias: true });
      return Promise.all([dx!, dWeight!, dBias!].map((t) => t.data()));
    };
    expect(await once()).toEqual(await once());
  });

  const controls: [string, RegExp | string, string][] = [
    ["a block of outputs that forgets the one before", /if \(!isFirst\)/g, "if (false)"],
    ["a part that forgets its last row", "min(params.rows, firstRow + params.stretch)", "min(params.rows, firstRow + params.stretch - 1u)"],
    ["outputs beyond the last", /isOut_\d+ & /g, ""],
    ["a gradient of the weight from another row of x", /at_\d+ \* params\.xRow/g, "firstRow * params.xRow"],
    ["a bias of one lane only", /ofBias_0 \+= g_0/g, "ofBias_0 = g_0"],
    ["factors that are forgotten", /(value\S*) \*= /g, "$1 += 0.0 * "],
    ["a residual taken off", /(value\S*) \+= residual/g, "$1 -= residual"],
  ];
  const forms: [string, Case][] = [
    ["rows in fours", example(40, 152)],
    ["rows one by one", example(39, 150)],
  ];
  const all = controls.flatMap((control) => forms.map((form) => [form[0], ...control, form[1]] as const));
  it.for(all)("is caught, %s, with %s", async ([_form, _what, find, replace, broken], { skip }) => {
    skip(!device.hasFamily("panel"), "no subgroups of a fixed size");
    await on("panel", async () => {
      await agrees(broken);
      await withMutation("linear_gradients_panel", [find, replace], () => expect(agrees(broken)).rejects.toThrow("within their bounds"));
    });
  });
});
