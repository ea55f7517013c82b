import { createRng, readSafetensors } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ActivationIndex,
  type ActivationIndexInfo,
  type ActivationIndexOptions,
  ActivationIndexWriter,
  type IndexFiles,
  rowNumbers,
} from "./activation_index.ts";
import { type Example, latentExamples } from "./examples.ts";

/** A folder in memory. */
class MemoryFiles implements IndexFiles {
  readonly files = new Map<string, Uint8Array>();
  async read(name: string): Promise<Uint8Array> {
    const bytes = this.files.get(name);
    if (!bytes) throw new Error(`Expected ${name} but found none`);
    return bytes;
  }
  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.files.set(name, bytes);
  }
  async remove(name: string): Promise<void> {
    if (!this.files.delete(name)) throw new Error(`Expected ${name} but found none`);
  }
}

/** A corpus with all its features, few of them above 0; latent 0 never fires, and values repeat so that there are ties. */
interface Corpus {
  readonly dSae: number;
  readonly rows: readonly { readonly sequence: number; readonly position: number; readonly features: readonly number[] }[];
}

function drawCorpus(seed: number, { count, dSae }: { count: number; dSae: number }): Corpus {
  const rng = createRng(seed, "corpus");
  let [sequence, position] = [rng.integer(3), 0];
  const rows = Array.from({ length: count }, () => {
    if (rng.uniform() < 0.3) [sequence, position] = [sequence + 1 + rng.integer(2), 0];
    position += 1 + rng.integer(2);
    const features = Array.from({ length: dSae }, (_, f) =>
      f > 0 && rng.uniform() < f / dSae ? (1 + rng.integer(40)) / 8 : -rng.integer(2),
    );
    return { sequence, position, features };
  });
  return { dSae, rows };
}

async function indexOf(corpus: Corpus, options: Partial<ActivationIndexOptions> & { block?: number } = {}) {
  const { block = 7, ...rest } = options;
  const files = new MemoryFiles();
  const writer = new ActivationIndexWriter(files, { dSae: corpus.dSae, ...rest });
  for (let from = 0; from < corpus.rows.length; from += block) {
    const rows = corpus.rows.slice(from, from + block);
    const places = { sequences: rows.map(({ sequence }) => sequence), positions: rows.map(({ position }) => position) };
    await writer.add(Float32Array.from(rows.flatMap(({ features }) => features)), places);
  }
  await writer.finish();
  return { files, index: await ActivationIndex.open(files) };
}

/** Dense oracle: what a latent does on each row. */
const column = ({ rows }: Corpus, latent: number): Example[] =>
  rows.map(({ sequence, position, features }) => ({ sequence, position, activation: Math.max(0, features[latent]!) }));
const ranked = (examples: readonly Example[]): Example[] =>
  examples.filter(({ activation }) => activation > 0).toSorted((a, b) => b.activation - a.activation); // stable

const arbitrary = fc.record({
  seed: fc.nat(),
  count: fc.integer({ min: 0, max: 60 }),
  dSae: fc.integer({ min: 1, max: 9 }),
  block: fc.integer({ min: 1, max: 20 }),
  latentsPerFile: fc.integer({ min: 1, max: 10 }),
  bufferFirings: fc.integer({ min: 1, max: 80 }),
});

describe("ActivationIndex", () => {
  it("holds every latent's firings and every row's place, however small files, buffers and blocks are", async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ seed, count, dSae, ...options }) => {
        const corpus = drawCorpus(seed, { count, dSae });
        const { index } = await indexOf(corpus, options);
        expect(index.info.rows).toBe(count);
        for (let latent = 0; latent < dSae; latent++) {
          const { sequences, positions, activations } = await index.firings(latent);
          const found = Array.from(sequences, (sequence, i) => ({ sequence, position: positions[i]!, activation: activations[i]! }));
          const expected = column(corpus, latent).map((example, row) => ({ ...example, row }));
          const fired = expected.filter(({ activation }) => activation > 0);
          expect(found).toEqual(fired.map(({ row, ...example }) => example));
          expect([...rowNumbers({ sequences, positions }, await index.places())]).toEqual(fired.map(({ row }) => row));
        }
        for (const [row, { sequence, position }] of corpus.rows.entries()) expect(await index.place(row)).toEqual({ sequence, position });
      }),
      { numRuns: 60 },
    );
  });

  it("gives the same files of firings whatever the buffer, and leaves no parts behind", async () => {
    const corpus = drawCorpus(3, { count: 50, dSae: 6 });
    const [small, large] = await Promise.all([1, 1000].map((bufferFirings) => indexOf(corpus, { bufferFirings, latentsPerFile: 4 })));
    const names = [...small!.files.files.keys()].filter((name) => !name.startsWith("places")).sort();
    expect(names).toEqual(["0_3.safetensors", "4_5.safetensors", "index.json"]);
    for (const name of names.slice(0, 2)) expect(small!.files.files.get(name)).toEqual(large!.files.files.get(name));
  });

  it("writes delphi's layout: sequence, position and latent counted from the file's first", async () => {
    const rows = [
      { sequence: 0, position: 4, features: [0, 2, 0] },
      { sequence: 5, position: 1, features: [0, 1, 3] },
    ];
    const { files } = await indexOf({ dSae: 3, rows }, { latentsPerFile: 2 });
    const tensors = readSafetensors(await files.read("0_1.safetensors")).tensors;
    expect(tensors.get("locations")).toEqual({ shape: [2, 3], dtype: "u32", data: Uint32Array.of(0, 4, 1, 5, 1, 1) });
    expect(tensors.get("activations")).toEqual({ shape: [2], dtype: "f32", data: Float32Array.of(2, 1) });
    expect(readSafetensors(await files.read("2_2.safetensors")).tensors.get("locations")!.data).toEqual(Uint32Array.of(5, 1, 0));
  });

  it("leaves delphi's loader nothing beside its own files, and tells it the tokens", async () => {
    const files = new MemoryFiles();
    const writer = new ActivationIndexWriter(files, { dSae: 3, latentsPerFile: 2 });
    await writer.add([0, 2, 0, 1, 0, 3], { sequences: [0, 1], positions: [1, 0] });
    const tokens = { shape: [2, 2], dtype: "i32", data: Int32Array.of(7, 8, 9, 5) } as const;
    await writer.finish({ tokens });
    const beside = [...files.files.keys()].filter((name) => !name.includes("/"));
    expect(beside.sort()).toEqual(["0_1.safetensors", "2_2.safetensors", "config.json", "index.json"]);
    for (const name of beside.slice(0, 2)) {
      const { tensors } = readSafetensors(await files.read(name));
      expect(tensors.get("tokens")).toEqual(tokens);
    }
    expect(JSON.parse(new TextDecoder().decode(await files.read("config.json")))).toEqual({ ctx_len: 2, n_tokens: 4 });
    expect((await (await ActivationIndex.open(files)).firings(2)).activations).toEqual(Float32Array.of(3));
  });

  it("refuses what does not fit, with what it expected", async () => {
    const writer = new ActivationIndexWriter(new MemoryFiles(), { dSae: 2 });
    await expect(writer.add([1, 2, 3], { sequences: [0], positions: [0] })).rejects.toThrow(
      "Expected 2 features and a position for each of 1",
    );
    await writer.add([1, 2], { sequences: [1], positions: [3] });
    await expect(writer.add([1, 2], { sequences: [1], positions: [3] })).rejects.toThrow("Expected a place after sequence 1, position 3");
    expect(() => new ActivationIndexWriter(new MemoryFiles(), { dSae: 2, latentsPerFile: 0 })).toThrow("latentsPerFile of at least 1");
    const { index, files } = await indexOf(drawCorpus(1, { count: 9, dSae: 4 }));
    await expect(index.firings(4)).rejects.toThrow("Expected a latent below 4 but found 4");
    await expect(index.place(9)).rejects.toThrow("Expected a row below 9 but found 9");
    expect(() => rowNumbers({ sequences: [2], positions: [1] }, { sequences: [2], positions: [0] })).toThrow("sequence 2, position 1");
    const { firings, ...info } = index.info;
    const wrong: ActivationIndexInfo = { ...info, firings: firings.map((n) => n + 1) };
    await expect(new ActivationIndex(files, wrong).firings(1)).rejects.toThrow("of latent 1 in 0_3.safetensors but found others");
    files.files.set("index.json", new TextEncoder().encode('{"format":"other"}'));
    await expect(ActivationIndex.open(files)).rejects.toThrow(
      "Expected an index of format cursive-activation-index, version 1, but found other",
    );
  });
});

describe("latentExamples", () => {
  it("finds what a dense search finds: the exact top, bands, and places of the kinds that it says", async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, fc.boolean(), async ({ seed, count, dSae, ...options }, byRank) => {
        const corpus = drawCorpus(seed, { count, dSae });
        const { index } = await indexOf(corpus, options);
        for (let latent = 0; latent < dSae; latent++) {
          const all = column(corpus, latent);
          const expected = ranked(all);
          const bandsBy = byRank ? "rank" : "value";
          const found = await latentExamples(index, latent, {
            top: 5,
            bands: 3,
            perBand: 1000,
            bandsBy,
            drawn: 4,
            nearZeroShare: 0.5,
            seed,
          });
          const max = expected[0]?.activation ?? 0;
          expect(found).toMatchObject({ latent, firings: expected.length, rows: count, max, top: expected.slice(0, 5) });
          expect(found.bands.flatMap(({ examples }) => examples)).toEqual(expected); // each firing in one band, once
          for (const { from, to, examples, share } of found.bands) {
            expect(examples.every(({ activation }) => (byRank ? activation >= from : activation > from) && activation <= to)).toBe(true);
            expect(share).toBe(examples.length / expected.length);
          }
          if (byRank) for (const { share } of found.bands) expect(Math.abs(share * expected.length - expected.length / 3)).toBeLessThan(1);
          const kinds = {
            random: expected,
            nearZero: expected.filter(({ activation }) => activation <= max / 2),
            silent: all.filter(({ activation }) => activation === 0),
          };
          for (const [kind, candidates] of Object.entries(kinds)) {
            const drawn = found[kind as keyof typeof kinds];
            expect(drawn).toHaveLength(Math.min(4, candidates.length));
            expect(candidates.filter((candidate) => drawn.some((d) => JSON.stringify(d) === JSON.stringify(candidate)))).toEqual(drawn);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it("draws the same for a seed, others for another, and reaches every silent row", async () => {
    const corpus = drawCorpus(2, { count: 40, dSae: 3 });
    const { index } = await indexOf(corpus);
    const drawnBy = (seed: number) => latentExamples(index, 1, { drawn: 3, seed });
    expect(await drawnBy(1)).toEqual(await drawnBy(1));
    const draws = await Promise.all(Array.from({ length: 80 }, (_, seed) => drawnBy(seed)));
    const reached = new Set(draws.flatMap(({ silent }) => silent.map((example) => JSON.stringify(example))));
    expect(reached.size).toBe(column(corpus, 1).filter(({ activation }) => activation === 0).length);
  });

  it("takes one place of a sequence where asked to", async () => {
    const corpus = drawCorpus(4, { count: 60, dSae: 4 });
    const { index } = await indexOf(corpus);
    const { top } = await latentExamples(index, 3, { top: 100, onePerSequence: true });
    const expected = ranked(column(corpus, 3)).filter(
      ({ sequence }, i, list) => list.findIndex((other) => other.sequence === sequence) === i,
    );
    expect(top).toEqual(expected);
    expect(top.length).toBeLessThan(index.info.firings[3]!);
  });
});
