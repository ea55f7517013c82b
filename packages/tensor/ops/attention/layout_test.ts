import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { capture } from "../../capture/capture.ts";
import { tensor } from "../../create.ts";
import type { Device, KernelFamily } from "../../device/device.ts";
import { withMutation } from "../../device/kernel.ts";
import { openDevice } from "../../device/open.ts";
import type { Tensor } from "../../tensor.ts";
import {
  applyView,
  attentionBound,
  directionalDerivative,
  expectAdjoint,
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
} from "../../testing/mod.ts";
import { scaledDotProductAttention } from "../attention.ts";

let device: Device;
let adapterFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  adapterFamily = device.family;
});

const families: readonly KernelFamily[] = ["portable", "panel", "tile"];
const headSizes: Readonly<Record<KernelFamily, number>> = { portable: 8, panel: 16, tile: 8 };

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

async function on<T>(family: KernelFamily, body: () => Promise<T>): Promise<T> {
  device.family = family;
  try {
    return await body();
  } finally {
    device.family = adapterFamily;
  }
}

interface Sizes {
  readonly batch: number;
  readonly places: number;
  readonly heads: number;
  readonly headSize: number;
}

/** [B, T, H · D] seen as [B, H, T, D]. */
const asHeads = (x: Tensor, { batch, heads, headSize }: Sizes): Tensor => x.reshape([batch, -1, heads, headSize]).transpose(1, 2);
const joinHeads = (y: Tensor): Tensor => y.transpose(1, 2).reshape([y.shape[0]!, y.shape[2]!, -1]);

/** Self-attention of a packed projection [B, T, 3 · H · D], as a transformer has it. */
function selfAttention(packed: Tensor, sizes: Sizes): Tensor {
  const [q, k, v] = packed.split(sizes.heads * sizes.headSize, 2).map((piece) => asHeads(piece, sizes)) as [Tensor, Tensor, Tensor];
  return joinHeads(scaledDotProductAttention(q, k, v, { causal: true }));
}

/** Attention from [B, T, H · D] to a packed [B, S, 2 · H · D]. */
function crossAttention(query: Tensor, packed: Tensor, sizes: Sizes): Tensor {
  const [k, v] = packed.split(sizes.heads * sizes.headSize, 2).map((piece) => asHeads(piece, sizes)) as [Tensor, Tensor];
  return joinHeads(scaledDotProductAttention(asHeads(query, sizes), k, v));
}

/** The kernels that `body` launches. */
function dispatches(body: () => void): number {
  const before = device.stats().dispatches;
  body();
  return device.stats().dispatches - before;
}

const sizes: fc.Arbitrary<Sizes> = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  places: fc.integer({ min: 1, max: 20 }),
  heads: fc.integer({ min: 1, max: 3 }),
  headSize: fc.constant(0),
});

interface Viewing {
  readonly family: KernelFamily;
  readonly causal: boolean;
  /** Of query, key, value and the output's gradient. */
  readonly views: readonly [View, View, View, View];
  readonly seed: number;
}

/** Every layout of inputs and of the gradient gives what the oracle gives for the values seen. */
async function seesThroughViews({ family, causal, views, seed }: Viewing): Promise<void> {
  const bases = views.map((v, i) => seededValues(seed + i, v.base));
  const [q, k, v, cotangent] = bases.map((base, i) => viewed(base, views[i]!)) as [Nd, Nd, Nd, Nd];
  await on(family, async () => {
    const inputs = bases.map((base, i) => applyView(upload(base), views[i]!)) as [Tensor, Tensor, Tensor, Tensor];
    for (const input of inputs.slice(0, 3)) input.requiresGrad = true;
    const out = scaledDotProductAttention(inputs[0], inputs[1], inputs[2], { causal });
    out.backward({ gradient: inputs[3] });
    const expected = oracle.scaledDotProductAttention(q, k, v, { causal });
    expectClose(await out.data(), expected, attentionBound(q, k, v, { causal }));
    const directions = [q, k, v].map((x, i) => seededValues(seed + 4 + i, x.shape));
    const derivative = directionalDerivative(
      (...x) => oracle.scaledDotProductAttention(x[0]!, x[1]!, x[2]!, { causal }),
      [q, k, v],
      directions,
    );
    const gradients = await Promise.all(inputs.slice(0, 3).map(async (x) => ({ data: await x.grad!.data() })));
    expectAdjoint({ derivative, cotangent, gradients, directions });
  });
}

const viewings: fc.Arbitrary<Viewing> = fc
  .record({
    family: fc.constantFrom(...families),
    leading: fc.constantFrom([], [2], [2, 3], [2, 3, 2], [1, 2, 1, 2]),
    queries: fc.integer({ min: 1, max: 9 }),
    keys: fc.integer({ min: 1, max: 9 }),
  })
  .chain(({ family, leading, queries, keys }) => {
    const [query, key] = [queries, keys].map((rows) => [...leading, rows, headSizes[family]]) as [number[], number[]];
    const views = fc.tuple(view(query), view(key), view(key), view(query));
    return fc.record({ family: fc.constant(family), causal: fc.boolean(), views, seed: seed() });
  });

/** The same bits as from inputs and gradients that lie by themselves. */
async function packsAsItComputes(family: KernelFamily, drawn: Sizes, seed: number): Promise<void> {
  const all = { ...drawn, headSize: headSizes[family] };
  const { batch, places, heads, headSize } = all;
  const packed = seededValues(seed, [batch, places, 3 * heads * headSize]);
  const cotangent = seededValues(seed + 1, [batch, places, heads * headSize]);
  await on(family, async () => {
    const together = upload(packed, true);
    const out = selfAttention(together, all);
    out.backward({ gradient: upload(cotangent) });
    const parts = [0, 1, 2].map((i) => {
      const piece = upload(packed).narrow(2, { start: i * heads * headSize, length: heads * headSize });
      const part = asHeads(piece, all).clone();
      part.requiresGrad = true;
      return part;
    }) as [Tensor, Tensor, Tensor];
    const apart = joinHeads(scaledDotProductAttention(...parts, { causal: true }));
    apart.backward({ gradient: upload(cotangent) });
    expect(await out.data()).toEqual(await apart.data());
    const pieces = together.grad!.split(heads * headSize, 2);
    for (const [i, piece] of pieces.entries()) expect(await asHeads(piece, all).data()).toEqual(await parts[i]!.grad!.data());
  });
}

const example: Sizes = { batch: 2, places: 5, heads: 3, headSize: 8 };

describe("layouts of attention", () => {
  it("may be any views, of inputs and of gradients", async () => {
    await fc.assert(fc.asyncProperty(viewings, seesThroughViews), runs(120));
  });

  it("may need more leading axes together than any of them does alone", async () => {
    const query: View = { shape: [2, 3, 2, 1, 8], base: [3, 2, 2, 1, 8], steps: [{ permute: [2, 0, 1, 3, 4] }] };
    const key: View = { shape: [2, 3, 2, 4, 8], base: [2, 3, 4, 2, 8], steps: [{ permute: [0, 1, 3, 2, 4] }] };
    await seesThroughViews({ family: "portable", causal: false, views: [query, key, key, query], seed: 1 });
  });

  it("fail that if the outer stride is forgotten", async () => {
    const dense = (...shape: number[]): View => ({ shape, base: shape, steps: [] });
    const permuted: View = { shape: [2, 3, 4, 8], base: [2, 4, 3, 8], steps: [{ permute: [0, 2, 1, 3] }] };
    const views = [permuted, permuted, permuted, dense(2, 3, 4, 8)] as const;
    const broken = () => expect(seesThroughViews({ family: "portable", causal: false, views, seed: 1 })).rejects.toThrow();
    await withMutation("attention_portable", ["head / params.inner * place.y", "0u"], broken);
  });

  it("give a packed projection the gradients that separate tensors get, bit for bit", async () => {
    const property = fc.asyncProperty(fc.constantFrom(...families), sizes, seed(), packsAsItComputes);
    await fc.assert(property, runs(40));
  });

  it("fail that if rows are taken to follow one another", async () => {
    await withMutation("attention_portable", ["row * place.w", "row * params.headSize"], () =>
      expect(packsAsItComputes("portable", example, 1)).rejects.toThrow(),
    );
  });

  it("cost self-attention no copy: one kernel forward, three backward", async () => {
    for (const family of families) {
      await on(family, async () => {
        const all = { ...example, headSize: headSizes[family] };
        const packed = upload(seededValues(1, [2, 5, 3 * 3 * all.headSize]), true);
        const gradient = upload(seededValues(2, [2, 5, 3 * all.headSize]));
        let out: Tensor | undefined;
        expect(dispatches(() => (out = selfAttention(packed, all)))).toBe(1);
        expect(dispatches(() => out!.backward({ gradient }))).toBe(2);
        expect(packed.grad!.isContiguous).toBe(true);
      });
    }
  });

  it("cost cross-attention to packed keys and values no copy", async () => {
    for (const family of families) {
      await on(family, async () => {
        const all = { ...example, headSize: headSizes[family] };
        const query = upload(seededValues(1, [2, 5, 3 * all.headSize]), true);
        const packed = upload(seededValues(2, [2, 7, 2 * 3 * all.headSize]), true);
        const gradient = upload(seededValues(3, query.shape));
        let out: Tensor | undefined;
        expect(dispatches(() => (out = crossAttention(query, packed, all)))).toBe(1);
        expect(dispatches(() => out!.backward({ gradient }))).toBe(2);
        for (const x of [query, packed]) expect(x.grad!.isContiguous).toBe(true);
      });
    }
  });

  it("cost copies where the pieces do not follow one another, so that counting them means something", () => {
    const packed = upload(seededValues(1, [2, 5, 3 * 24]), true);
    const [v, k, q] = packed.split(24, 2).map((piece) => asHeads(piece, example)) as [Tensor, Tensor, Tensor];
    const out = scaledDotProductAttention(q, k, v);
    expect(dispatches(() => out.backward({ gradient: upload(seededValues(2, out.shape)) }))).toBeGreaterThan(2);
  });

  it("skip the gradients that nobody wants", () => {
    const [q, k, v] = [1, 2, 3].map((s) => upload(seededValues(s, [2, 5, 8]))) as [Tensor, Tensor, Tensor];
    q.requiresGrad = true;
    const gradient = upload(seededValues(4, [2, 5, 8]));
    expect(dispatches(() => scaledDotProductAttention(q, k, v).backward({ gradient }))).toBe(2);
    expect(q.grad!.shape).toEqual([2, 5, 8]);
    expect([k.grad, v.grad]).toEqual([null, null]);
  });

  it("give keys and values the same gradients where the query wants none", async () => {
    const gradient = upload(seededValues(4, [2, 5, 8]));
    const gradients = async (needsQuery: boolean) => {
      const [q, k, v] = [1, 2, 3].map((s) => upload(seededValues(s, [2, 5, 8]), true)) as [Tensor, Tensor, Tensor];
      q.requiresGrad = needsQuery;
      scaledDotProductAttention(q, k, v).backward({ gradient });
      return Promise.all([k, v].map((x) => x.grad!.data()));
    };
    for (const family of families) await on(family, async () => expect(await gradients(false)).toEqual(await gradients(true)));
  });

  it("take one query of a sequence against a cache that has room for more keys", async () => {
    for (const family of families) {
      await on(family, async () => {
        const headSize = headSizes[family];
        const [cacheK, cacheV] = [1, 2].map((s) => seededValues(s, [2, 3, 40, headSize])) as [Nd, Nd];
        const q = seededValues(3, [2, 3, 1, headSize]);
        const [k, v] = [cacheK, cacheV].map((x) => upload(x).narrow(2, { start: 0, length: 33 })) as [Tensor, Tensor];
        const [seenK, seenV] = [cacheK, cacheV].map((x) => oracle.slice(x, [[], [], [0, 33]])) as [Nd, Nd];
        const out = scaledDotProductAttention(upload(q), k, v);
        expectClose(await out.data(), oracle.scaledDotProductAttention(q, seenK, seenV), attentionBound(q, seenK, seenV));
      });
    }
  });

  it("replay in a captured step: no memory is read before it is written", async () => {
    const packed = upload(seededValues(1, [2, 5, 3 * 24]), true);
    const step = capture(
      (gradient: Tensor) => {
        packed.grad = null;
        const out = selfAttention(packed, example);
        out.backward({ gradient });
        return { out, grad: packed.grad! };
      },
      { poison: true },
    );
    for (let run = 0; run < 3; run++) {
      const gradient = upload(seededValues(run + 2, [2, 5, 24]));
      const { out, grad } = await step(gradient);
      const [replayed, replayedGrad] = [await out.data(), await grad.data()];
      packed.grad = null;
      const eager = selfAttention(packed, example);
      eager.backward({ gradient });
      expect(replayed).toEqual(await eager.data());
      expect(replayedGrad).toEqual(await packed.grad!.data());
    }
    step.destroy();
  });

  it("have the result lie place by place, so that joining the heads is free", async () => {
    const x = upload(nd([2, 3, 5, 8]));
    const out = scaledDotProductAttention(x, x, x);
    expect(out.transpose(1, 2).isContiguous).toBe(true);
  });
});
