import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { Tensor } from "../tensor.ts";
import {
  applyView,
  dotBound,
  epsilon,
  expectClose,
  logSoftmaxBound,
  map,
  type Nd,
  nd,
  oracle,
  runs,
  scalar,
  seed,
  seededIndices,
  seededValues,
  shape,
  softmaxBound,
  untilNoticed,
  type ValueKind,
  type View,
  valueKind,
  view,
  viewed,
  zip,
} from "../testing/mod.ts";
import { crossEntropy, type Reduction } from "./cross_entropy.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});

const families: KernelFamily[] = ["panel", "portable", "tile"];
const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });
const uploadIndices = (x: Nd): Tensor => tensor(Int32Array.from(x.data), { shape: x.shape });

interface Case {
  readonly view: View;
  readonly reduction: Reduction;
  readonly ignoreIndex: number;
  readonly family: KernelFamily;
  readonly kind: ValueKind;
  readonly seed: number;
}

/** Logits of any layout, often rows with padding between them, as matrix products leave them. */
const cases: fc.Arbitrary<Case> = shape({ minRank: 1, maxRank: 3, maxCount: 4096 }).chain((shape) => {
  const width = shape.at(-1)!;
  const padded = fc.record({ before: fc.nat(4), after: fc.nat(8) }).map(({ before, after }): View => {
    const slices = [...shape.slice(0, -1).map(() => [] as []), [before, before + width] as [number, number]];
    return { shape, base: [...shape.slice(0, -1), before + width + after], steps: [{ slice: slices }] };
  });
  return fc.record({
    view: fc.oneof(padded, view(shape)),
    reduction: fc.constantFrom<Reduction>("mean", "sum", "none"),
    ignoreIndex: fc.constantFrom(-100, -1, 0),
    family: fc.constantFrom(...families),
    kind: valueKind("normal", "integers", "adversarial"),
    seed: seed(),
  });
});

/** Of each place's loss. */
function placeBounds(x: Nd, targets: Nd, ignoreIndex: number): Nd {
  const classes = x.shape.at(-1)!;
  const bounds = logSoftmaxBound(x).data;
  // The running maximum rescales the sum at most once in four elements, each time with an error of some units in the last place.
  const rescaled = 4 * classes * epsilon;
  return map(nd(targets.shape, Array.from(targets.data.keys())), (place) =>
    targets.data[place] === ignoreIndex ? 0 : bounds[place * classes + targets.data[place]!]! + rescaled,
  );
}

async function agrees(c: Case): Promise<void> {
  device.family = c.family;
  const base = seededValues(c.seed, c.view.base, c.kind);
  const x = viewed(base, c.view);
  const classes = x.shape.at(-1)!;
  const drawn = seededIndices(c.seed + 1, x.shape.slice(0, -1), classes + 1); // one in so many is ignored
  const targets = map(drawn, (t) => (t === classes ? c.ignoreIndex : t));
  const counted = targets.data.filter((t) => t !== c.ignoreIndex).length;

  const logits = applyView(upload(base), c.view);
  logits.requiresGrad = true;
  const loss = crossEntropy(logits, uploadIndices(targets), c);
  const exact = oracle.crossEntropy(x, targets, c);
  expect(loss.shape).toEqual(exact.shape);
  const bounds = placeBounds(x, targets, c.ignoreIndex);
  const losses = oracle.crossEntropy(x, targets, { ...c, reduction: "none" });
  const total = oracle.add(oracle.sum(bounds), dotBound(losses.data.length + 1, oracle.sum(oracle.abs(losses))));
  const divisor = c.reduction === "mean" ? counted : 1;
  const bound = c.reduction === "none" ? bounds : map(total, (b) => (divisor === 0 ? 0 : (2 * b) / divisor));
  expectClose(await loss.data(), exact, bound);

  // (softmax − one-hot) · slope, exactly 0 where ignored
  const slope = seededValues(c.seed + 2, loss.shape);
  loss.backward({ gradient: upload(slope) });
  const factor = (place: number): number =>
    targets.data[place] === c.ignoreIndex ? 0 : c.reduction === "none" ? slope.data[place]! : slope.data[0]! / divisor;
  const probabilities = oracle.softmax(x);
  const places = nd(x.shape, Array.from(x.data.keys()));
  const gradient = map(places, (i) => {
    const place = Math.floor(i / classes);
    return factor(place) === 0 ? 0 : (probabilities.data[i]! - Number(targets.data[place] === i % classes)) * factor(place);
  });
  // exp(x − log Σ exp): the rounding of the normalizer makes a relative error
  const relative = zip(
    logSoftmaxBound(x),
    map(probabilities, (p) => p),
    (b, p) => (b + 4 * classes * epsilon) * p,
  );
  const allowed = zip(
    zip(relative, softmaxBound(x), (a, b) => a + b),
    places,
    (b, i) => {
      const f = Math.abs(factor(Math.floor(i / classes)));
      return f === 0 ? 0 : 1.01 * f * (b + 4 * epsilon);
    },
  );
  expectClose(await logits.grad!.data(), gradient, allowed);
}

const agreement = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(cases, agrees), { ...runs(n), endOnFailure: n === untilNoticed });

describe("crossEntropy", () => {
  it("and its gradient agree with float64 for logits of any layout", () => agreement(100));

  it("takes logits with padding as they are and lays their gradient out likewise, with zeros between the rows", async () => {
    for (const family of families) {
      device.family = family;
      const before = device.stats().dispatches;
      const logits = upload(seededValues(1, [2, 5, 24])).slice([[], [], [0, 21]]);
      logits.requiresGrad = true;
      crossEntropy(logits, uploadIndices(seededIndices(2, [2, 5], 21))).backward();
      const { grad } = logits;
      expect(grad!.strides).toEqual([120, 24, 1]);
      expect(device.stats().dispatches - before).toBe(3); // losses, total, gradient: no copies
      const rows = await new Tensor(device, grad!.storage, { shape: [10, 24], dtype: "f32" }).data();
      expect(Array.from(rows).every((v, i) => (i % 24 < 21 ? v !== 0 : v === 0))).toBe(true);
    }
  });

  it("gives NaN, and only in its own row, for a target that is no class", async () => {
    for (const family of families) {
      device.family = family;
      const logits = upload(seededValues(3, [4, 20]));
      logits.requiresGrad = true;
      const losses = crossEntropy(logits, tensor(Int32Array.of(3, 20, -7, -1)), { ignoreIndex: -1, reduction: "none" });
      losses.backward({ gradient: losses.onesLike() });
      expect(Array.from(await losses.data(), Number.isNaN)).toEqual([false, true, true, false]);
      const broken = Array.from(await logits.grad!.data(), Number.isNaN);
      expect(broken.every((v, i) => v === (i >= 20 && i < 60))).toBe(true);
    }
  });

  it("has a mean of NaN and a sum of 0 if every place is ignored", async () => {
    const logits = upload(seededValues(4, [3, 7]));
    logits.requiresGrad = true;
    const targets = tensor(new Int32Array(3).fill(-100));
    expect(await crossEntropy(logits, targets).item()).toBeNaN();
    const sum = crossEntropy(logits, targets, { reduction: "sum" });
    sum.backward();
    expect(await sum.item()).toBe(0);
    expect(Array.from(await logits.grad!.data())).toEqual(new Array(21).fill(0));
    expect(await crossEntropy(tensor(new Float32Array(0), { shape: [0, 7] }), tensor(new Int32Array(0))).item()).toBeNaN();
  });

  it("takes a single place without leading axes", async () => {
    const x = seededValues(5, [9]);
    expectClose([await crossEntropy(upload(x), tensor(Int32Array.of(2), { shape: [] })).item()], oracle.crossEntropy(x, scalar(2)), 1e-5);
  });

  it("stays exact for rows that are hugely negative, and takes −∞ as a mask", async () => {
    for (const family of families) {
      device.family = family;
      const low = tensor(new Float32Array(32).fill(-1e38), { shape: [1, 32] });
      expect(await crossEntropy(low, tensor(Int32Array.of(5))).item()).toBeCloseTo(Math.log(32), 5);
      const masked = tensor([[...new Array<number>(31).fill(-Infinity), -4]]);
      expect(await crossEntropy(masked, tensor(Int32Array.of(31))).item()).toBe(0);
      expect(await crossEntropy(masked, tensor(Int32Array.of(0))).item()).toBe(Infinity);
      const rising = tensor(
        Float32Array.from({ length: 512 }, (_, i) => i / 4),
        { shape: [1, 512] },
      );
      const exact = oracle.crossEntropy(
        nd(
          [1, 512],
          Array.from({ length: 512 }, (_, i) => i / 4),
        ),
        nd([1], [511]),
      );
      expectClose([await crossEntropy(rising, tensor(Int32Array.of(511))).item()], exact, 4e-6);
    }
  });

  it("gives NaN for a row of −∞ and for a row with NaN, as PyTorch, and in their gradients", async () => {
    for (const family of families) {
      device.family = family;
      const rows = seededValues(8, [3, 33]).data;
      rows.fill(-Infinity, 0, 33)[40] = NaN;
      const logits = upload(nd([3, 33], rows));
      logits.requiresGrad = true;
      const losses = crossEntropy(logits, tensor(Int32Array.of(1, 2, 3)), { reduction: "none" });
      losses.backward({ gradient: losses.onesLike() });
      expect(Array.from(await losses.data(), Number.isNaN)).toEqual([true, true, false]);
      expect(Array.from(await logits.grad!.data(), Number.isNaN).every((v, i) => v === i < 66)).toBe(true);
    }
  });

  it("takes more rows than a dispatch has invocations in one dimension", async () => {
    device.family = "portable";
    const rows = 64 * 65_535 + 65;
    const logits = tensor(new Float32Array(2 * rows).fill(0.5), { shape: [rows, 2] });
    const targets = tensor(Int32Array.from({ length: rows }, (_, i) => (i % 2 ? -1 : (i >> 1) % 2)));
    logits.requiresGrad = true;
    const loss = crossEntropy(logits, targets, { ignoreIndex: -1, reduction: "sum" });
    loss.backward();
    const counted = Math.ceil(rows / 2);
    expectClose([await loss.item()], [counted * Math.LN2], counted * 4e-6);
    const wrong = (await logits.grad!.data()).findIndex((g, i) => {
      const row = i >> 1;
      return Math.abs(g - (row % 2 ? 0 : (row >> 1) % 2 === i % 2 ? -0.5 : 0.5)) > 1e-6;
    });
    expect(wrong).toBe(-1);
  });

  it("gives the same bits every time", async () => {
    for (const family of families) {
      device.family = family;
      const logits = upload(seededValues(6, [300, 77]));
      logits.requiresGrad = true;
      const targets = uploadIndices(seededIndices(7, [300], 77));
      const run = async (): Promise<unknown[]> => {
        logits.grad = null;
        const loss = crossEntropy(logits, targets);
        loss.backward();
        return [await loss.data(), await logits.grad!.data()];
      };
      expect(await run()).toEqual(await run());
    }
  });

  it("refuses shapes that do not fit and targets that are not i32", () => {
    const logits = upload(nd([2, 3]));
    expect(() => crossEntropy(logits, tensor(new Int32Array(3)))).toThrow(ShapeError);
    expect(() => crossEntropy(logits, tensor([0, 1]))).toThrow(DTypeError);
  });
});

describe("a broken cross-entropy", () => {
  it.each([
    ["counts elements beyond a row's end", "inside(at)));", "at < vec4u(params.length + 1u)));"],
    ["does not rescale its sum", "own_sum *= select(exp(own - higher), 1.0, own == higher);", ""],
    ["counts ignored places in the mean", "select(1.0, 0.0, classes[row] == params.ignored)", "1.0"],
    ["takes logits to be dense", /row \* params\.stride/g, "row * params.length"],
    ["gives ignored places a gradient", "select(p * scale, vec4f(), ignored)", "p * scale"],
    ["forgets the target in its gradient", "select(vec4f(), vec4f(1.0), vec4i(at) == vec4i(wanted_class))", "vec4f()"],
  ] as const)("that %s is noticed", (_, find, replace) =>
    expect(withMutation("cross_entropy", [find, replace], () => agreement(untilNoticed))).rejects.toThrow("Property failed"),
  );

  it.for(["panel", "tile"] as const)("whose tree loses a lane in the form for %s adapters is noticed", (family, { skip }) => {
    skip(!device.hasFamily(family), "no subgroups of a fixed size");
    const view: View = { shape: [3, 100], base: [3, 100], steps: [] };
    const c: Case = { view, reduction: "sum", ignoreIndex: -1, family, kind: "normal", seed: 1 };
    const find = /step > 0u; step \/= 2u\)(?=[^}]*(total|slots\[local\]) \+=)/;
    return expect(withMutation("cross_entropy", [find, "step > 1u; step /= 2u)"], () => agrees(c))).rejects.toThrow("outside");
  });
});
