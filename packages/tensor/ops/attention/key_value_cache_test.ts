import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { capture } from "../../capture/capture.ts";
import { tensor } from "../../create.ts";
import type { Device, KernelFamily } from "../../device/device.ts";
import { withMutation } from "../../device/kernel.ts";
import { openDevice } from "../../device/open.ts";
import { ShapeError } from "../../errors.ts";
import type { Tensor } from "../../tensor.ts";
import { attentionBound, dimension, expectClose, type Nd, oracle, runs, seed, seededValues } from "../../testing/mod.ts";
import { type KeyValue, KeyValueCache } from "./key_value_cache.ts";

let device: Device;
let adapterFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  adapterFamily = device.family;
});

const families: readonly KernelFamily[] = ["portable", "panel", "tile"];

/** Sequences of `filled` places at once and `appended` ones after that. */
interface Case {
  readonly family: KernelFamily;
  readonly batch: number;
  readonly heads: number;
  readonly headSize: number;
  readonly filled: number;
  readonly appended: number;
  readonly seed: number;
}

const cases: fc.Arbitrary<Case> = fc.record({
  family: fc.constantFrom(...families),
  batch: fc.integer({ min: 1, max: 3 }),
  heads: fc.integer({ min: 1, max: 3 }),
  headSize: fc.constantFrom(8, 5, 40, 37), // whole vec4s or not, rows in registers or not
  filled: dimension({ max: 130 }),
  appended: fc.integer({ min: 1, max: 5 }),
  seed: seed(),
});

const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });

/** Runs on a family's kernels. */
async function on<T>(family: KernelFamily, body: () => Promise<T>): Promise<T> {
  device.family = family;
  try {
    return await body();
  } finally {
    device.family = adapterFamily;
  }
}

const mustFail = (property: () => Promise<void>): Promise<void> => expect(property()).rejects.toThrow();

/** What a model's projection gives, [B, T, 3 · H · D], at places `start` … `start + count − 1`, as heads. */
function headsAt(packed: Tensor, { heads }: Case, { start, count }: { start: number; count: number }): KeyValue & { query: Tensor } {
  const [query, key, value] = packed
    .narrow(1, { start, length: count })
    .chunk(3, 2)
    .map((x) => x.reshape([x.shape[0]!, count, heads, -1]).transpose(1, 2)) as [Tensor, Tensor, Tensor];
  return { query, key, value };
}

/** The same of an oracle's array: query, key, value as [B, H, T, D]. */
function headsOf(packed: Nd, { batch, heads, headSize, filled, appended }: Case): [Nd, Nd, Nd] {
  const split = oracle.reshape(packed, [batch, filled + appended, 3, heads, headSize]);
  const all = oracle.permute(split, [2, 0, 3, 1, 4]);
  return [0, 1, 2].map((i) => oracle.reshape(oracle.slice(all, [[i, i + 1]]), all.shape.slice(1))) as [Nd, Nd, Nd];
}

const drawn = ({ batch, heads, headSize, filled, appended, seed }: Case): Nd =>
  seededValues(seed, [batch, filled + appended, 3 * heads * headSize]);

function makeCache(c: Case, spare = 0): KeyValueCache {
  const { batch, heads, headSize, filled, appended } = c;
  return new KeyValueCache({ batch, heads, headSize, capacity: filled + appended + spare, device });
}

/** Fills a cache and goes on place by place. @returns Each appended place's result, [B, H, 1, D]. */
function goOn(c: Case, packed: Tensor, cache: KeyValueCache): Tensor[] {
  cache.fill(headsAt(packed, c, { start: 0, count: c.filled }));
  return Array.from({ length: c.appended }, (_, i) => {
    const { query, ...own } = headsAt(packed, c, { start: c.filled + i, count: 1 });
    return cache.append(query, own);
  });
}

async function agreesWithTheOracle(c: Case): Promise<void> {
  const packed = drawn(c);
  const [q, k, v] = headsOf(packed, c);
  const causal = { causal: true };
  const [expected, bound] = [oracle.scaledDotProductAttention(q, k, v, causal), attentionBound(q, k, v, causal)];
  await on(c.family, async () => {
    const results = goOn(c, upload(packed), makeCache(c));
    for (const [i, result] of results.entries()) {
      const at = (x: Nd): Nd => oracle.slice(x, [[], [], [c.filled + i, c.filled + i + 1]]);
      expectClose(await result.data(), at(expected), at(bound));
    }
  });
}

async function attendsToWhatIsKept(c: Case): Promise<void> {
  const packed = drawn(c);
  const [q, k, v] = headsOf(packed, c);
  const last = (x: Nd): Nd => oracle.slice(x, [[], [], [c.filled + c.appended - 1, c.filled + c.appended]]);
  await on(c.family, async () => {
    const uploaded = upload(packed);
    const cache = makeCache(c, 3);
    cache.fill(headsAt(uploaded, c, { start: 0, count: c.filled + c.appended }));
    const { query } = headsAt(uploaded, c, { start: c.filled + c.appended - 1, count: 1 });
    const expected = oracle.scaledDotProductAttention(last(q), k, v);
    expectClose(await cache.attend(query).data(), expected, attentionBound(last(q), k, v));
  });
}

const example: Case = { family: "panel", batch: 2, heads: 2, headSize: 8, filled: 20, appended: 3, seed: 1 };

describe("KeyValueCache", () => {
  it("gives every appended place the attention that float64 gives it, in every family, for any head size and length", async () => {
    await fc.assert(fc.asyncProperty(cases, agreesWithTheOracle), runs(60));
  });

  it("attends to all that is kept, of whatever length", async () => {
    await fc.assert(fc.asyncProperty(cases, attendsToWhatIsKept), runs(30));
  });

  it("is noticed by these properties if it skips a place, forgets the own one, or keeps it elsewhere", async () => {
    for (const edit of [
      ["j < length;", "j + 1u < length;"],
      ["total = weight_of(score, score)", "total = 0.0"],
      ["keys[place + c] = key;", "keys[place] = key;"],
      ["values[place + c] = value;", ""],
    ] as const)
      await withMutation("attention_cached", edit, () => mustFail(() => agreesWithTheOracle(example)));
    await withMutation("attention_cached", ["sums[lane][D4] += sums[lane + half][D4];", ""], () =>
      mustFail(() => attendsToWhatIsKept(example)),
    );
  });

  it("sees nothing of what it held before", async () => {
    const packed = upload(drawn(example));
    const used = makeCache(example, 40);
    const longer = { ...example, filled: 50, seed: 2 };
    goOn(longer, upload(drawn(longer)), used);
    const [again, fresh] = [goOn(example, packed, used), goOn(example, packed, makeCache(example, 40))];
    for (const [i, result] of again.entries()) expect(await result.data()).toEqual(await fresh[i]!.data());
    expect(used.length).toBe(23);
  });

  it("does the same beside others in one piece of memory, and alone where they cannot be bound together", async () => {
    const packed = upload(drawn(example));
    const wanted = await Promise.all(goOn(example, packed, makeCache(example)).map((x) => x.data()));
    const { batch, heads, headSize } = example;
    const sizes = { batch, heads, headSize, device };
    const together = KeyValueCache.together([23, 1, 23].map((capacity) => ({ ...sizes, capacity })));
    expect(new Set(together.map(({ memory }) => memory.keys.storage)).size).toBe(1);
    for (const cache of [together[0]!, together[2]!, together[0]!]) {
      cache.truncate(0);
      expect(await Promise.all(goOn(example, packed, cache).map((x) => x.data()))).toEqual(wanted);
    }
    const { limits } = device;
    const few = { maxStorageBufferBindingSize: 12_000, maxBufferSize: 12_000, maxComputeWorkgroupsPerDimension: 65_535 };
    try {
      Object.assign(device, { limits: few });
      const [one, other] = KeyValueCache.together([60, 60].map((capacity) => ({ ...sizes, capacity }))); // 7,680 bytes each
      expect(one!.memory.keys.storage).not.toBe(other!.memory.keys.storage);
    } finally {
      Object.assign(device, { limits });
    }
  });

  it("forgets the places from a length on, as if they had never been", async () => {
    const packed = upload(drawn(example));
    const cache = makeCache(example, 3);
    const wanted = await goOn(example, packed, cache)[2]!.data();
    cache.truncate(22);
    const { query, ...own } = headsAt(packed, example, { start: 22, count: 1 });
    expect(await cache.append(query, own).data()).toEqual(wanted);
    expect(() => cache.truncate(24)).toThrow("Expected a length of at most 23 but found 24");
  });

  it("goes on by itself in a captured step, bit for bit as without", async () => {
    const c = { ...example, appended: 6 };
    const packed = upload(drawn(c));
    const wanted = goOn(c, packed, makeCache(c));
    const cache = makeCache(c);
    cache.fill(headsAt(packed, c, { start: 0, count: c.filled }));
    const step = capture((row: Tensor) => {
      const { query, ...own } = headsAt(row, c, { start: 0, count: 1 });
      return cache.append(query, own);
    });
    for (const [i, result] of wanted.entries()) {
      const row = await step(packed.narrow(1, { start: c.filled + i, length: 1 }));
      expect(await row.data()).toEqual(await result.data());
    }
    await expect(step(packed.narrow(1, { start: 0, length: 1 }))).rejects.toThrow(
      "Expected a place left in the cache but found all 26 taken",
    );
    step.destroy();
  });

  it("makes a NaN of every result that a NaN comes into, and of no other", async () => {
    for (const family of families) {
      const c: Case = { ...example, family, batch: 1, appended: 1 };
      const nanHeads = async (place: number, part: number): Promise<boolean[]> => {
        const { shape, data } = drawn(c);
        const poisoned = { shape, data: data.slice() };
        poisoned.data[place * shape[2]! + part * 16 + 8] = NaN; // of the second head
        const [result] = await on(family, async () => goOn(c, upload(poisoned), makeCache(c)));
        const values = await result!.data();
        return [0, 1].map((head) => values.slice(8 * head, 8 * head + 8).some(Number.isNaN));
      };
      for (const place of [0, 7, 20]) for (const part of [1, 2]) expect(await nanHeads(place, part)).toEqual([false, true]);
      expect(await nanHeads(20, 0)).toEqual([false, true]);
      expect(await nanHeads(19, 0)).toEqual([false, false]); // an earlier query
    }
  });

  it("takes more heads than a dispatch has workgroups in a dimension", async () => {
    const batch = 70_001;
    const values = Float32Array.from({ length: batch }, (_, i) => i % 1009);
    const column = tensor(values, { shape: [batch, 1, 1, 1] });
    const cache = new KeyValueCache({ batch, heads: 1, headSize: 1, capacity: 2, device });
    cache.fill({ key: column, value: column });
    expect(await cache.attend(column).data()).toEqual(values);
    expect(await cache.append(column.mul(0), { key: column, value: column.add(2) }).data()).toEqual(values.map((x) => x + 1));
  });

  it("refuses shapes that do not fit, and heads that are too wide", () => {
    const cache = makeCache(example);
    const x = upload(seededValues(1, [2, 2, 1, 7]));
    expect(() => cache.append(x, { key: x, value: x })).toThrow(
      new ShapeError("KeyValueCache.append: expected [2, 2, 1, 8] but found [2, 2, 1, 7]"),
    );
    const long = upload(seededValues(1, [2, 2, 24, 8]));
    expect(() => cache.fill({ key: long, value: long })).toThrow("KeyValueCache.fill: expected at most 23 places but found 24");
    expect(() => new KeyValueCache({ batch: 1, heads: 1, headSize: 129, capacity: 1, device })).toThrow(
      "KeyValueCache: expected a head size of 1 to 128 but found 129",
    );
  });
});
