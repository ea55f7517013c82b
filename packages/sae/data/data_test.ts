import { type Device, type HostTensor, openDevice, Tensor, tensor } from "@cursive/tensor";
import { runs } from "@cursive/tensor/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Resumable, readSnapshot, type Snapshot, writeSnapshot } from "../snapshot.ts";
import { type ActivationRows, keptRows } from "./activation_rows.ts";
import { ActivationShardWriter, readShardIndex, SHARD_INDEX, type ShardFiles, type ShardIndex, ShardSource } from "./activation_shards.ts";
import { ArrayStream } from "./array_stream.ts";
import { MixingBuffer } from "./mixing_buffer.ts";
import { NoRowsError } from "./no_rows_error.ts";
import { SiteStreams } from "./site_streams.ts";
import { type SiteRows, SiteTee } from "./site_tee.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const width = 4;

/** Rows that carry their number in every column. */
function numbered(from: number, count: number): HostTensor {
  return {
    shape: [count, width],
    dtype: "f32",
    data: Float32Array.from({ length: count * width }, (_, i) => from + Math.floor(i / width)),
  };
}

/** A source of pieces of the given sizes, numbered through, that can be resumed. */
class Pieces implements AsyncIterator<ActivationRows> {
  readonly #sizes: readonly number[];
  readonly #mask: ((row: number) => boolean) | undefined;
  #at = 0;
  constructor(sizes: readonly number[], mask?: (row: number) => boolean) {
    this.#sizes = sizes;
    this.#mask = mask;
  }
  async next(): Promise<IteratorResult<ActivationRows>> {
    if (this.#at >= this.#sizes.length) return { done: true, value: undefined };
    const from = this.#sizes.slice(0, this.#at).reduce((a, b) => a + b, 0);
    const count = this.#sizes[this.#at++]!;
    const host = numbered(from, count);
    // Rows come from the GPU and from main memory by turns.
    const rows = this.#at % 2 ? host : tensor(host.data as Float32Array, { shape: host.shape });
    const mask = this.#mask && Array.from({ length: count }, (_, i) => this.#mask!(from + i));
    return { done: false, value: { rows, ...(mask && { mask }) } };
  }
  state(): Snapshot {
    return { values: { at: this.#at }, tensors: new Map() };
  }
  restore({ values }: Snapshot): void {
    this.#at = Number(values.at);
  }
}

/** Numbers of the rows in each batch. */
async function numbersOf(buffer: AsyncIterator<{ data: unknown }> | MixingBuffer, batches = Number.POSITIVE_INFINITY): Promise<number[][]> {
  const found: number[][] = [];
  while (found.length < batches) {
    const { value, done } = await buffer.next();
    if (done) break;
    const data = typeof value.data === "function" ? await value.data() : value.data;
    found.push(Array.from(data as Float32Array).filter((_, i) => i % width === 0));
  }
  return found;
}

const streams = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 }),
  batchRows: fc.integer({ min: 1, max: 9 }),
  factor: fc.integer({ min: 1, max: 6 }),
  servedShare: fc.constantFrom(0.25, 0.5, 1),
  seed: fc.nat(1000),
  storage: fc.constantFrom("f32" as const, "f16" as const), // numbers of rows stay exact in both
  modulus: fc.integer({ min: 1, max: 4 }),
});

describe("MixingBuffer", () => {
  it("serves every row that the mask keeps once, but for fewer than a batch, in full batches", async () => {
    await fc.assert(
      fc.asyncProperty(streams, async ({ sizes, batchRows, factor, servedShare, seed, storage, modulus }) => {
        const keep = (row: number): boolean => row % modulus === 0;
        const buffer = new MixingBuffer(new Pieces(sizes, keep), { batchRows, bufferRows: batchRows * factor, servedShare, seed, storage });
        const batches = await numbersOf(buffer);
        const served = batches.flat();
        const total = sizes.reduce((a, b) => a + b, 0);
        const kept = Array.from({ length: total }, (_, i) => i).filter(keep).length;
        expect(batches.every((batch) => batch.length === batchRows)).toBe(true);
        expect(new Set(served).size).toBe(served.length);
        expect(served.every((row) => keep(row) && row < total)).toBe(true);
        expect(kept - served.length).toBeLessThan(batchRows);
      }),
      runs(40),
    );
  });

  it("goes on from its state exactly, whenever it was taken", async () => {
    await fc.assert(
      fc.asyncProperty(streams, fc.nat(12), async ({ sizes, batchRows, factor, servedShare, seed, storage }, before) => {
        const make = (): MixingBuffer =>
          new MixingBuffer(new Pieces(sizes), { batchRows, bufferRows: batchRows * factor, servedShare, seed, storage });
        const straight = await numbersOf(make());
        const first = make();
        const head = await numbersOf(first, before);
        const second = make();
        await second.restore(readSnapshot(writeSnapshot(await first.state())));
        expect([...head, ...(await numbersOf(second))]).toEqual(straight);
      }),
      runs(25),
    );
  });

  it("mixes rows of different pieces, differently for each seed", async () => {
    const of = async (seed: number): Promise<number[][]> =>
      numbersOf(new MixingBuffer(new Pieces([100, 100, 100]), { batchRows: 20, bufferRows: 200, seed }));
    const [a, b, again] = [await of(1), await of(2), await of(1)];
    expect(a).toEqual(again);
    expect(a).not.toEqual(b);
    expect(new Set(a[0]!.map((row) => Math.floor(row / 100))).size).toBe(2);
  });

  it("rounds rows to halves where they wait as such, and refuses a state that waited otherwise", async () => {
    const third = { shape: [2, 2], dtype: "f32", data: Float32Array.of(1 / 3, 1, -2.5, 1e-3) } as const;
    const source = async function* (): AsyncGenerator<ActivationRows> {
      yield { rows: third };
    };
    const options = { batchRows: 1, bufferRows: 2, storage: "f16" } as const;
    const buffer = new MixingBuffer(source(), options);
    const first = await buffer.next();
    const state = await buffer.state();
    expect(state.tensors.get("buffer/stored")!.shape).toEqual([1, 1]); // two numbers in a word
    const second = await buffer.next();
    const found = [...(await first.value!.data()), ...(await second.value!.data())].sort((a, b) => a - b);
    expect(found).toEqual([-2.5, 0.0010004043579101562, 0.333251953125, 1]);
    await expect(new MixingBuffer(source(), { ...options, storage: "f32" }).restore(state)).rejects.toThrow(
      "Expected rows kept as f32 (f32) but found u32",
    );
  });

  it("refuses sizes that cannot work, and masks of another length", async () => {
    expect(() => new MixingBuffer(new Pieces([]), { batchRows: 4, bufferRows: 3 })).toThrow(
      "Expected bufferRows of at least 4 (batchRows) but found 3",
    );
    expect(() => keptRows({ rows: numbered(0, 3), mask: [1, 0] })).toThrow("Expected a mask of 3 flags, one a row, but found 2");
    expect(keptRows({ rows: numbered(0, 3), mask: [0, 0, 0] })).toBeUndefined();
  });
});

/** Two sites of other widths at the places of {@link Pieces}. */
class TwoSites implements AsyncIterator<SiteRows> {
  readonly #pieces: Pieces;
  asked = 0;
  constructor(...about: ConstructorParameters<typeof Pieces>) {
    this.#pieces = new Pieces(...about);
  }
  async next(): Promise<IteratorResult<SiteRows>> {
    this.asked++;
    const { value, done } = await this.#pieces.next();
    if (done) return { done, value: undefined };
    const { rows, ...mask } = value;
    const narrow = rows instanceof Tensor ? rows.narrow(1, { start: 0, length: 1 }) : rows.data.filter((_, i) => i % width === 0);
    return { done: false, value: { rows: { wide: rows, narrow: narrow instanceof Tensor ? narrow : { ...rows, shape: [narrow.length, 1], data: narrow } }, ...mask } }; // biome-ignore format: a record
  }
  state(): Snapshot {
    return this.#pieces.state();
  }
  restore(state: Snapshot): void {
    this.#pieces.restore(state);
  }
}

describe("SiteTee and SiteStreams", () => {
  const sites = ["wide", "narrow"];
  const pair = (source: TwoSites, options: ConstructorParameters<typeof MixingBuffer>[1]): SiteStreams<Tensor> => {
    const tee = new SiteTee(source);
    return new SiteStreams(Object.fromEntries(sites.map((site) => [site, new MixingBuffer(tee.of(site), options)])));
  };
  const numbers = async (stream: SiteStreams<Tensor>, batches = Number.POSITIVE_INFINITY): Promise<number[][][]> => {
    const found: number[][][] = [];
    while (found.length < batches) {
      const { value, done } = await stream.next();
      if (done) break;
      found.push(await Promise.all(sites.map(async (site) => Array.from(await value[site]!.data()))));
    }
    return found;
  };

  it("give every site the batches that it would get alone, from one pass, and go on from their state exactly", async () => {
    await fc.assert(
      fc.asyncProperty(streams, fc.nat(9), async ({ sizes, batchRows, factor, servedShare, seed, modulus }, before) => {
        const options = { batchRows, bufferRows: batchRows * factor, servedShare, seed };
        const keep = (row: number): boolean => row % modulus === 0;
        const alone = await numbersOf(new MixingBuffer(new Pieces(sizes, keep), options));
        const source = new TwoSites(sizes, keep);
        const first = pair(source, options);
        const head = await numbers(first, before);
        const second = pair(new TwoSites(sizes, keep), options);
        await second.restore(readSnapshot(writeSnapshot(await first.state())));
        const all = [...head, ...(await numbers(second))];
        expect(all.map(([wide]) => wide!.filter((_, i) => i % width === 0))).toEqual(alone);
        expect(all.map(([, narrow]) => narrow)).toEqual(alone);
        await numbers(first);
        expect(source.asked).toBeLessThanOrEqual(sizes.length + sites.length); // once a piece, and each site finds the end
      }),
      runs(25),
    );
  });

  it("say so where one site is read further than the others, and where a site has no rows", async () => {
    const tee = new SiteTee(new TwoSites([4, 4]));
    const [wide] = sites.map((site) => tee.of(site)) as (AsyncIterator<ActivationRows> & Resumable)[];
    await wide!.next();
    expect(() => wide!.state()).toThrow("Expected all sites to be read equally far but found 1 pieces that wait for 'narrow'");
    await expect(new SiteTee(new TwoSites([4])).of("deep").next()).rejects.toThrow(
      "Expected rows of wide, narrow to be asked for but found 'deep'",
    );
  });
});

describe("ArrayStream", () => {
  it("draws different whole groups for every batch, and replays a given order", async () => {
    const data = numbered(0, 12);
    const drawn = await numbersOf(new ArrayStream(data, { groupRows: 3, groupsPerBatch: 2, seed: 1 }), 20);
    for (const batch of drawn) {
      expect(batch.map((row) => row % 3)).toEqual([0, 1, 2, 0, 1, 2]);
      expect(new Set(batch).size).toBe(6);
    }
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(5);
    const replay = new ArrayStream(data, {
      groupRows: 3,
      groupsPerBatch: 2,
      order: [
        [3, 0],
        [1, 1],
      ],
    });
    expect(await numbersOf(replay)).toEqual([
      [9, 10, 11, 0, 1, 2],
      [3, 4, 5, 3, 4, 5],
    ]);
  });

  it("goes on from its state", async () => {
    const make = (): ArrayStream => new ArrayStream(numbered(0, 50), { groupsPerBatch: 5, seed: 3 });
    const [first, second] = [make(), make()];
    const straight = await numbersOf(make(), 6);
    await numbersOf(first, 4);
    second.restore(first.state());
    expect(await numbersOf(second, 2)).toEqual(straight.slice(4));
  });
});

describe("activation shards", () => {
  const memory = (): ShardFiles & { files: Map<string, Uint8Array> } => {
    const files = new Map<string, Uint8Array>();
    return {
      files,
      read: async (name) => files.get(name) ?? Promise.reject(new Error(`no ${name}`)),
      write: async (name, bytes) => void files.set(name, bytes),
    };
  };
  const write = async (files: ShardFiles, pieces: readonly number[], rowsPerShard: number): Promise<void> => {
    const writer = new ActivationShardWriter(files, { dIn: width, rowsPerShard, columns: ["token"], about: { site: "mlp" } });
    let from = 0;
    for (const count of pieces) {
      const token = Array.from({ length: count }, (_, i) => (from + i) % 5);
      await writer.add(numbered(from, count).data as Float32Array, { token });
      from += count;
    }
    await writer.finish();
  };
  const readAll = async (source: ShardSource): Promise<number[]> => {
    const found: number[] = [];
    for await (const piece of source) {
      const rows = keptRows(piece);
      if (rows) found.push(...Array.from(await rows.data()).filter((_, i) => i % width === 0));
    }
    return found;
  };

  it("gives back what was written, in any pieces, masked by what the rows carry", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        async (pieces, rowsPerShard, rowsPerRead) => {
          const files = memory();
          await write(files, pieces, rowsPerShard);
          const index = await readShardIndex(files);
          const total = pieces.reduce((a, b) => a + b, 0);
          expect([index.rows, index.about.site, index.shards.length]).toEqual([total, "mlp", Math.ceil(total / rowsPerShard)]);
          const rows = Array.from({ length: total }, (_, i) => i);
          expect(await readAll(new ShardSource(files, index, { rowsPerRead }))).toEqual(rows);
          const mask = ({ token }: Readonly<Record<string, Int32Array>>): Int32Array => token!.map((t) => Number(t === 2));
          expect(await readAll(new ShardSource(files, index, { rowsPerRead, mask }))).toEqual(rows.filter((row) => row % 5 === 2));
        },
      ),
      runs(25),
    );
  });

  it("goes through the shards in another order each epoch, and goes on from its state", async () => {
    const files = memory();
    await write(files, [40], 5);
    const index = await readShardIndex(files);
    const make = (): ShardSource => new ShardSource(files, index, { rowsPerRead: 3, epochs: 3, shuffleSeed: 7 });
    const straight = await readAll(make());
    expect(straight.length).toBe(120);
    expect(new Set(straight.slice(0, 40)).size).toBe(40);
    expect(straight.slice(0, 40)).not.toEqual(straight.slice(40, 80));
    const [first, second] = [make(), make()];
    for (let i = 0; i < 21; i++) await first.next();
    second.restore(first.state());
    const rest = await readAll(first);
    expect(rest.length).toBeGreaterThan(0);
    expect(await readAll(second)).toEqual(rest);
  });

  it("feeds a buffer, with which it is resumed", async () => {
    const files = memory();
    await write(files, [60], 8);
    const index = await readShardIndex(files);
    const make = (): MixingBuffer =>
      new MixingBuffer(new ShardSource(files, index, { epochs: Number.POSITIVE_INFINITY, shuffleSeed: 2 }), {
        batchRows: 7,
        bufferRows: 30,
      });
    const straight = await numbersOf(make(), 15);
    const [first, second] = [make(), make()];
    await numbersOf(first, 8);
    await second.restore(await first.state());
    expect(await numbersOf(second, 7)).toEqual(straight.slice(8));
  });

  it("keeps activations as halves where asked, in half the bytes", async () => {
    const bytesOf = async (storage: "f32" | "f16"): Promise<{ bytes: number; rows: number[] }> => {
      const files = memory();
      const writer = new ActivationShardWriter(files, { dIn: width, storage });
      await writer.add(numbered(0, 500).data as Float32Array);
      const index = await writer.finish();
      return { bytes: files.files.get(index.shards[0]!.file)!.length, rows: await readAll(new ShardSource(files, index)) };
    };
    const [whole, half] = [await bytesOf("f32"), await bytesOf("f16")];
    expect(half.rows).toEqual(whole.rows);
    expect(whole.bytes - half.bytes).toBe(2 * 500 * width);
  });

  it("says so where a whole epoch has no row that is wanted, whatever the epoch before began with, and finds the only one", async () => {
    const files = memory();
    const writer = new ActivationShardWriter(files, { dIn: width, rowsPerShard: 7, columns: ["row"] });
    await writer.add(numbered(0, 30).data as Float32Array, { row: Array.from({ length: 30 }, (_, i) => i) });
    const index = await writer.finish();
    const epochs = Number.POSITIVE_INFINITY;
    const none = new ShardSource(files, index, { rowsPerRead: 4, epochs, shuffleSeed: 3, mask: ({ row }) => row!.map(() => 0) });
    const buffer = new MixingBuffer(none, { batchRows: 2, bufferRows: 4 });
    await expect(buffer.next()).rejects.toThrow(NoRowsError);
    await expect(none.next()).rejects.toThrow("Expected rows that are wanted but found none among all 30");
    for (let only = 0; only < 30; only++) {
      const mask = ({ row }: Readonly<Record<string, Int32Array>>): Int32Array => row!.map((r) => Number(r === only));
      const source = new ShardSource(files, index, { rowsPerRead: 4, epochs, shuffleSeed: 3, mask });
      for (let i = 0; i < 5; i++) expect(Array.from(await keptRows((await source.next()).value)!.data())).toEqual(Array(width).fill(only));
    }
  });

  it("tells by the index alone which numbers are kept, and refuses others in the same places", async () => {
    const cache = async (storage: "f32" | "f16"): Promise<{ files: ReturnType<typeof memory>; index: ShardIndex }> => {
      const files = memory();
      const writer = new ActivationShardWriter(files, { dIn: width, rowsPerShard: 10, storage });
      await writer.add(Float32Array.from({ length: 20 * width }, (_, i) => i / 3)); // thirds differ as halves
      return { files, index: await writer.finish() };
    };
    const [whole, again, half] = [await cache("f32"), await cache("f32"), await cache("f16")];
    expect(again.index).toEqual(whole.index);
    const { shards, ...rest } = half.index;
    expect({ ...rest, shards: shards.map(({ file, rows }) => ({ file, rows })) }).toEqual({
      ...whole.index,
      shards: whole.index.shards.map(({ file, rows }) => ({ file, rows })),
    });
    expect(half.index).not.toEqual(whole.index);
    const { file } = whole.index.shards[1]!;
    whole.files.files.set(file, half.files.files.get(file)!);
    const source = new ShardSource(whole.files, whole.index);
    expect((await source.next()).value.rows.shape).toEqual([10, width]); // of the first shard, which is still its own
    await expect(source.next()).rejects.toThrow(
      /^Expected the rows that the index was written with, SHA-256 [0-9a-f]{64}, in activations-00001/,
    );
  });

  it("refuses another index, a shard that is not as the index says, and columns that are not its own", async () => {
    const files = memory();
    await write(files, [6], 3);
    const index = await readShardIndex(files);
    const wrong = { ...index, shards: [{ ...index.shards[0]!, rows: 4 }] };
    await expect(new ShardSource(files, wrong).next()).rejects.toThrow(
      "Expected 'activations' [4, 4] in activations-00000.safetensors but found [3, 4]",
    );
    files.files.set(SHARD_INDEX, new TextEncoder().encode("{}"));
    await expect(readShardIndex(files)).rejects.toThrow("Expected an index of format cursive-activations, version 2, but found none, none");
    const writer = new ActivationShardWriter(files, { dIn: width, columns: ["token"] });
    await expect(writer.add(new Float32Array(8))).rejects.toThrow("Expected columns token of 2 rows but found 'token' of 0");
    await expect(writer.add(new Float32Array(8), { token: [1, 2], other: [1, 2] })).rejects.toThrow("found 'other'");
    await expect(writer.add(new Float32Array(7))).rejects.toThrow("Expected rows of 4 numbers but found 7 in all");
  });
});
