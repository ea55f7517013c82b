import type { Json, Snapshot } from "@cursive/sae";
import { type CheckpointCodec, CheckpointError, seal, unseal } from "../run/checkpoint.ts";

/** Everything that training autoencoders depends on, at a step. */
export interface SaeRunState {
  readonly step: number;
  /** Of the trainer and its stream. */
  readonly snapshot: Snapshot;
}

const FORMAT = "cursive-sae-run";

/** Snapshots as files that carry their own checksum; `metadata` tell a run's from another's. */
export function saeCodec(metadata: Readonly<Record<string, string>>): CheckpointCodec<SaeRunState> {
  return {
    encode: ({ step, snapshot: { values, tensors } }) =>
      seal(tensors, { ...metadata, format: FORMAT, step: String(step), snapshot: JSON.stringify(values) }),
    decode: (bytes) => {
      const { tensors, metadata: found } = unseal(bytes);
      if (found.format !== FORMAT)
        throw new CheckpointError(`Expected a checkpoint of autoencoders but found ${found.format ?? "another file"}`);
      for (const [key, value] of Object.entries(metadata))
        if (found[key] !== value) throw new CheckpointError(`Expected a checkpoint of this run but found one of another ${key}`);
      return { step: Number(found.step), snapshot: { values: JSON.parse(found.snapshot!) as { readonly [key: string]: Json }, tensors } };
    },
  };
}
