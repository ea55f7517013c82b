import { DeviceError, DeviceLostError, OutOfMemoryError } from "@cursive/tensor";
import { describe, expect, it } from "vitest";
import { failureOf, missingWebGpu } from "./failure.ts";
import { ForeignFileError } from "./model_file.ts";

/** An error as it comes across a worker's border: its class is lost. */
const sent = ({ name, message }: Error): Error => Object.assign(new Error(message), { name });

describe("missingWebGpu()", () => {
  it("tells an insecure page from a browser without WebGPU", () => {
    expect(missingWebGpu({ isSecureContext: false, navigator: {} })?.kind).toBe("insecure");
    expect(missingWebGpu({ isSecureContext: true, navigator: {} })?.kind).toBe("no-webgpu");
    expect(missingWebGpu({ isSecureContext: true, navigator: { gpu: {} } })).toBeUndefined();
  });
});

describe("failureOf()", () => {
  it("tells the engine's errors apart by what helps", () => {
    const kinds = [
      new DeviceError("Expected a GPU adapter but found none: on Linux …"),
      new DeviceError("Expected WebGPU but found none: this browser or runtime has no navigator.gpu"),
      new DeviceLostError("The GPU device was lost"),
      new OutOfMemoryError("Expected room for keys but found none"),
      new ForeignFileError("Expected a model"),
      new TypeError("Failed to fetch"),
      new RangeError("something else"),
    ].map((error) => failureOf(sent(error)).kind);
    expect(kinds).toEqual(["no-adapter", "no-webgpu", "lost", "memory", "file", "network", "other"]);
    expect(failureOf("words")).toEqual({ kind: "other", detail: "words" });
  });
});
