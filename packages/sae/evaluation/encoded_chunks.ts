import { capture, type Device, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import { type LabelledSource, type RowChunk, rowChunks } from "./row_chunks.ts";
import type { Codec } from "./splice.ts";

/** A chunk and what an autoencoder makes of it, all in main memory; good until the next is asked for. */
export interface EncodedChunk {
  readonly chunk: RowChunk;
  /** f `[R, F]`, flat. */
  readonly features: Float32Array;
  /** x̂ `[R, D]`, flat. */
  readonly reconstruction: Float32Array;
}

/** How rows pass the autoencoder. */
export interface ChunkOptions {
  /** Rows that pass at once. Default 2,048. */
  readonly chunkRows?: number;
  readonly device?: Device;
}

/**
 * Sends rows through an autoencoder, in chunks of one size whatever size they come in. Features are read back whole: what is counted of them
 * afterwards is exact, and for the widths of these models reading takes little beside computing.
 */
export async function* encodedChunks(sae: Codec, source: LabelledSource, options: ChunkOptions = {}): AsyncGenerator<EncodedChunk> {
  const { chunkRows = 2048, device } = options;
  const step = capture(
    (x: Tensor) =>
      noGrad(() => {
        const features = sae.encode(x);
        return { features, reconstruction: sae.decode(features) };
      }),
    { device },
  );
  try {
    for await (const chunk of rowChunks(source, { chunkRows })) {
      const x: HostTensor = { shape: [chunkRows, chunk.width], dtype: "f32", data: chunk.data };
      const { features, reconstruction } = await step(x);
      const [f, y] = await Promise.all([features.data(), reconstruction.data()]);
      yield { chunk, features: f as Float32Array, reconstruction: y as Float32Array };
    }
  } finally {
    step.destroy();
  }
}
