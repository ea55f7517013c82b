import { beforeAll, describe, expect, it } from "vitest";
import { TensorError } from "../errors.ts";
import { type ShaderName, shaders } from "../shaders.gen.ts";
import type { Device } from "./device.ts";
import { kernel } from "./kernel.ts";
import { openDevice } from "./open.ts";
import { reflect } from "./reflect.ts";

const source = `
enable f16;
struct Params {
  size: u32,
  scale: f32, // of the result, not: commented: u32
  shape: array<vec4u, 2>,
  shift: i32,
  strides: array<vec4<i32>, 1>,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read_write> out4: array<vec4f>;
// out4 is not used by scale, whatever this comment says: out4[0]
fn factor() -> f32 { return params.scale; }
fn deep() -> f32 { return factor() * f32(params.shape[1][0]); }
@compute @workgroup_size(64)
fn scale(@builtin(global_invocation_id) id: vec3u) { out[id.x] = x[id.x] * deep(); }
@compute @workgroup_size(64)
fn clear(@builtin(global_invocation_id) id: vec3u) { out4[id.x] = vec4f(); }
`;

describe("reflect()", () => {
  it("finds the bindings and parameters that an entry point uses, through the functions it calls", () => {
    expect(reflect(source, "scale")).toEqual({
      bindings: [
        { name: "out", index: 1, access: "write", isVector: false },
        { name: "x", index: 2, access: "read", isVector: false },
      ],
      needsSubgroups: false,
      paramBinding: 0,
      paramBytes: 80,
      params: [
        { name: "scale", type: "f32", count: 1, word: 1 },
        { name: "shape", type: "u32", count: 8, word: 4 },
      ],
    });
  });

  it("finds no parameters where none are used, and other names at the same binding", () => {
    const { bindings, params, paramBytes } = reflect(source, "clear");
    expect(bindings).toEqual([{ name: "out4", index: 1, access: "write", isVector: true }]);
    expect(params).toEqual([]);
    expect(paramBytes).toBe(0);
  });

  it("says whether subgroups are needed", () => {
    expect(reflect(source, "clear").needsSubgroups).toBe(false);
    expect(reflect(`enable f16, subgroups;\n${source}`, "clear").needsSubgroups).toBe(true);
  });

  it("refuses entry points that are not there, and parameters that it does not understand", () => {
    expect(() => reflect(source, "main")).toThrow("Expected an entry point 'main' in the shader but found factor, deep, scale, clear");
    const matrix = source.replace("shift: i32", "shift: mat2x2f");
    expect(() => reflect(matrix, "scale")).toThrow(
      "Expected 'name: u32|i32|f32' or 'name: array<vec4u, n>' in struct Params but found 'shift: mat2x2f'",
    );
    expect(() => reflect(source.replace("struct Params", "struct Others"), "scale")).toThrow(TensorError);
  });
});

describe("every shader", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice();
  });

  const names = Object.keys(shaders) as ShaderName[];
  /** Shaders with subgroups compile only where the adapter has them. */
  const runsHere = (name: ShaderName): boolean => device.features.has("subgroups") || !/^enable [^;]*subgroups/m.test(shaders[name]);
  const entriesOf = (name: ShaderName): string[] => Array.from(shaders[name].matchAll(/@compute[^{]*?\bfn\s+(\w+)/g), (match) => match[1]!);

  it("is valid WGSL as it stands, before anything is expanded", async () => {
    const errors: string[] = [];
    for (const name of names.filter(runsHere)) {
      device.gpu.pushErrorScope("validation"); // errors are listed, not fatal
      const module = device.gpu.createShaderModule({ label: name, code: shaders[name] });
      const { messages } = await module.getCompilationInfo();
      for (const m of messages) if (m.type === "error") errors.push(`${name}.wgsl:${m.lineNum}: ${m.message}`);
      await device.gpu.popErrorScope();
    }
    expect(errors).toEqual([]);
  });

  it("has entry points whose layouts, as read from the text, are what the compiler finds", async () => {
    const kernels = names.filter(runsHere).flatMap((name) => entriesOf(name).map((entry) => kernel(name, entry)));
    expect(kernels.length).toBeGreaterThanOrEqual(names.length);
    await device.pipelines.compile(kernels);
    device.checkAlive();
  });

  it("keeps within WebGPU's default limits: eight storage buffers and 256 bytes of parameters", () => {
    for (const name of names) {
      for (const entry of entriesOf(name)) {
        const { bindings, paramBytes } = kernel(name, entry).interface;
        expect(bindings.length, `${name}.${entry}`).toBeLessThanOrEqual(8);
        expect(paramBytes, `${name}.${entry}`).toBeLessThanOrEqual(256);
      }
    }
  });

  it("begins with a comment that says what it is and how it is dispatched", () => {
    for (const name of names) {
      expect(shaders[name], name).toMatch(new RegExp(`^// ${name} — `));
      expect(shaders[name], name).toMatch(/^\/\/.*\b[Dd]ispatch: /m);
    }
  });
});
