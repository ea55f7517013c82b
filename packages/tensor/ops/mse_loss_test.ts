import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  broadcastPair,
  dotBound,
  epsilon,
  expectClose,
  map,
  type Nd,
  oracle,
  roundingBound,
  runs,
  seed,
  seededValues,
  untilNoticed,
  type View,
  view,
  viewed,
  zip,
} from "../testing/mod.ts";
import type { Reduction } from "./cross_entropy.ts";
import { mseLoss } from "./mse_loss.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});

const families: KernelFamily[] = ["panel", "portable", "tile"];
const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });

interface Case {
  readonly left: View;
  readonly right: View;
  readonly reduction: Reduction;
  readonly family: KernelFamily;
  readonly seed: number;
}

const cases: fc.Arbitrary<Case> = broadcastPair({ maxCount: 3000 }).chain(({ left, right }) =>
  fc.record({
    left: view(left),
    right: view(right),
    reduction: fc.constantFrom<Reduction>("mean", "sum", "none"),
    family: fc.constantFrom(...families),
    seed: seed(),
  }),
);

/** What 2 (a − b) · slope adds up to over the axes along which an input of this shape was broadcast. */
function summedTo(terms: Nd, like: Nd): Nd {
  const added = terms.shape.length - like.shape.length;
  const axis = terms.shape.map((_, i) => i).filter((i) => i < added || like.shape[i - added] !== terms.shape[i]);
  return oracle.reshape(oracle.sum(terms, { axis }), like.shape);
}

async function agrees(c: Case): Promise<void> {
  device.family = c.family;
  const [a, b] = [c.left, c.right].map((v, i) => viewed(seededValues(c.seed + i, v.base), v)) as [Nd, Nd];
  const leaves = [c.left, c.right].map((v, i) => applyView(upload(seededValues(c.seed + i, v.base)), v));
  for (const leaf of leaves) leaf.requiresGrad = true;
  const loss = mseLoss(leaves[0]!, leaves[1]!, c);
  const exact = oracle.mseLoss(a, b, c);
  expect(loss.shape).toEqual(exact.shape);
  const elements = oracle.mseLoss(a, b, { reduction: "none" });
  const count = elements.data.length;
  const bound = c.reduction === "none" ? roundingBound(4, elements) : dotBound(count + 4, exact);
  expectClose(await loss.data(), exact, bound);

  const slope = seededValues(c.seed + 2, loss.shape);
  loss.backward({ gradient: upload(slope) });
  const scale = c.reduction === "mean" ? 2 / count : 2;
  const slopes = zip(
    map(elements, () => 0),
    slope,
    (_, s) => s * scale,
  );
  const terms = zip(
    zip(a, b, (p, q) => p - q),
    slopes,
    (d, s) => d * s,
  );
  const sizes = zip(
    zip(a, b, (p, q) => Math.abs(p) + Math.abs(q)),
    slopes,
    (d, s) => Math.abs(d * s),
  );
  for (const [i, input] of [a, b].entries()) {
    const gradient = summedTo(i === 0 ? terms : map(terms, (v) => -v), input);
    const repeats = count / Math.max(1, input.data.length);
    const allowed = map(summedTo(sizes, input), (size) => (4 + 2 * repeats) * epsilon * size);
    expectClose(await leaves[i]!.grad!.data(), gradient, allowed);
  }
}

const agreement = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(cases, agrees), { ...runs(n), endOnFailure: n === untilNoticed });

describe("mseLoss", () => {
  it("and its gradients agree with float64 for views that broadcast", () => agreement(80));

  it("adds up a million elements to within the error of a tree", async () => {
    const [a, b] = [tensor(new Float32Array(1_000_003).fill(0.3)), tensor(new Float32Array(1_000_003).fill(0.1))];
    const exact = (Math.fround(0.3) - Math.fround(0.1)) ** 2;
    for (const family of families) {
      device.family = family;
      expectClose([await mseLoss(a, b).item()], [exact], exact * 1e-6);
    }
  });

  it("takes more elements than a dispatch has invocations in one dimension", async () => {
    const count = 4 * (64 * 65_535 + 65) + 1;
    const ramp = tensor(Float32Array.from({ length: count }, (_, i) => i % 1024));
    ramp.requiresGrad = true;
    const loss = mseLoss(ramp, tensor(0), { reduction: "none" });
    expect((await loss.data()).findIndex((v, i) => v !== (i % 1024) ** 2)).toBe(-1);
    loss.backward({ gradient: tensor(1).expand([count]) });
    expect((await ramp.grad!.data()).findIndex((v, i) => v !== 2 * (i % 1024))).toBe(-1);
  });

  it("leaves out the gradient that nobody wants", async () => {
    const [a, b] = [tensor([1, 2], { requiresGrad: true }), tensor([3, 5])];
    mseLoss(a, b).backward();
    expect(Array.from(await a.grad!.data())).toEqual([-2, -3]);
    expect(b.grad).toBeNull();
  });

  it("refuses shapes that do not broadcast and integers", () => {
    expect(() => mseLoss(tensor([1, 2]), tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => mseLoss(tensor([1, 2]), tensor(new Int32Array(2)))).toThrow(DTypeError);
  });
});

describe("a broken squared error", () => {
  it.each([
    ["counts what lies behind the last element", "< vec4u(params.size)", "< vec4u(params.size + 1u)"],
    ["loses a component", "(sum.z + sum.w)", "sum.z"],
    ["forgets the slope", "* slope_at(i)", ""],
  ] as const)("that %s is noticed", (_, find, replace) =>
    expect(withMutation("mse_loss", [find, replace], () => agreement(untilNoticed))).rejects.toThrow("Property failed"),
  );
});
