import type { TrainerState } from "@cursive/cursive-model";
import { type HostTensor, readSafetensors, writeSafetensors } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CheckpointError, decodeCheckpoint, encodeCheckpoint, encodeModel, firstNotFinite, hashState, unseal } from "./checkpoint.ts";

const tensor = (...values: number[]): HostTensor => ({ shape: [values.length], dtype: "f32", data: Float32Array.from(values) });

const metadata = { format: "cursive-model", config: '{"nLayer":1}', tokenizer: "{}", data: "ab12", seed: "42" };

function stateOf(step: number, values: number[] = [1, -0, 1e-40, 3.4e38]): TrainerState {
  return {
    step,
    model: new Map([["wte.weight", tensor(...values)]]),
    optimizer: { stepCount: step, lr: 0.1 * 0.333 ** 3, moments: new Map([["exp_avg.0", tensor(0.5)]]) },
  };
}

describe("checkpoints", () => {
  it("come back bit for bit", () => {
    const words = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(words, fc.nat(), fc.double({ min: 0, noNaN: true }), (bits, step, lr) => {
        const state = stateOf(step, [...new Float32Array(Uint32Array.from(bits).buffer)]);
        const given = { ...state, optimizer: { ...state.optimizer, lr } };
        const found = decodeCheckpoint(encodeCheckpoint(given, metadata), metadata);
        expect(hashState(found)).toBe(hashState(given));
        expect([found.step, found.optimizer.lr]).toEqual([step, lr]);
      }),
    );
  });

  it("are refused if any byte has changed or any is missing", () => {
    const bytes = encodeCheckpoint(stateOf(7), metadata);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = bytes.slice();
        damaged[at]! ^= change;
        expect(() => decodeCheckpoint(damaged, metadata)).toThrow(CheckpointError);
        expect(() => decodeCheckpoint(bytes.subarray(0, at), metadata)).toThrow(CheckpointError);
      }),
      { numRuns: 300 },
    );
  });

  it("are refused with what they are of: another run, a model alone, a file without checksum, another file", () => {
    const bytes = encodeCheckpoint(stateOf(7), metadata);
    const refusal = (given: Uint8Array, expected: Record<string, string> = metadata): string => {
      try {
        decodeCheckpoint(given, expected);
        return "";
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
        return (error as Error).message;
      }
    };
    expect(refusal(bytes, { ...metadata, seed: "43" })).toBe("Expected a checkpoint of this run but found one of another seed");
    expect(refusal(bytes, { ...metadata, config: "{}" })).toContain("of another config");
    expect(refusal(encodeModel(stateOf(7), metadata))).toBe("Expected a run's checkpoint but found cursive-model");
    expect(refusal(writeSafetensors(stateOf(7).model))).toBe("Expected a file with its checksum but found none");
    expect(refusal(new TextEncoder().encode("not a checkpoint at all"))).toContain("Expected a header");
    expect(refusal(new Uint8Array(0))).toBe("Expected at least 8 bytes but found 0");
  });
});

describe("encodeModel()", () => {
  it("gives a plain safetensors file under the original's names, with what is needed to use it", () => {
    const bytes = encodeModel(stateOf(9), metadata);
    expect([...readSafetensors(bytes).tensors.keys()]).toEqual(["wte.weight"]);
    expect(unseal(bytes).metadata).toEqual({ ...metadata, step: "9" });
  });
});

describe("firstNotFinite()", () => {
  it("names the first tensor with NaN or infinity", () => {
    expect(firstNotFinite([["a", tensor(1)], ["b", tensor(1, Number.NaN)], ["c", tensor(Number.POSITIVE_INFINITY)]])).toBe("b"); // biome-ignore format: one line
    expect(firstNotFinite([["a", tensor(1, 2)]])).toBeUndefined();
  });
});
