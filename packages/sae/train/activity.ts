import { type Device, fromHost, full, type HostTensor, noGrad, type Tensor, where } from "@cursive/tensor";

/** Counts stop here: beyond, a latent is as dead as can be, and an i32 would overflow. */
const MOST_ROWS = 2 ** 30;

/** Which latents fire: for how many rows each has been silent, on the GPU, kept up to date inside of a captured step. */
export class LatentActivity {
  /** `[F]` i32: rows since a latent last fired, to the batch. */
  readonly silentRows: Tensor;

  constructor(dSae: number, { device }: { readonly device: Device }) {
    this.silentRows = full([dSae], 0, { dtype: "i32", device });
  }

  /** Takes a batch in. `firings [F]`: on how many of its `rows` each latent fired. */
  update(firings: Tensor, rows: number): void {
    noGrad(() => {
      const longer = this.silentRows.add(rows).clamp({ max: MOST_ROWS });
      this.silentRows.copyFrom(where(firings.gt(0), 0, longer));
    });
  }

  /** `[F]` bool: silent for at least so many rows. */
  dead(afterRows: number): Tensor {
    return this.silentRows.ge(Math.min(afterRows, MOST_ROWS));
  }

  /** Goes on from counts read back. */
  load(silentRows: HostTensor): void {
    this.silentRows.copyFrom(fromHost(silentRows, { device: this.silentRows.device }));
  }

  /** Counts latents as having just fired: `[F]` bool. */
  revive(latents: Tensor): void {
    noGrad(() => this.silentRows.copyFrom(where(latents, 0, this.silentRows)));
  }
}

/** On how many rows of features `[B, F]` each latent fired: `[F]` f32. */
export function firingsOf(features: Tensor): Tensor {
  return noGrad(() => features.countNonzero({ axis: 0 }).to("f32"));
}
