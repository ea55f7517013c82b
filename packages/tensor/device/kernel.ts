import { ShaderError } from "../errors.ts";
import { type ShaderName, shaders } from "../shaders.gen.ts";
import { type Reflection, reflect } from "./reflect.ts";
import { type Defines, expand } from "./template.ts";

/** An entry point of a shader with its template parameters set: what becomes one pipeline. Made by {@link kernel}, compared by identity. */
export interface Kernel {
  readonly name: string;
  readonly shader: ShaderName;
  readonly entry: string;
  /** The template's parameters that were set. */
  readonly defines: Defines;
  readonly code: string;
  readonly interface: Reflection;
}

const known = new Map<string, Kernel>();
/** Code by shader and parameters: entry points share it. */
const expanded = new Map<string, string>();

/**
 * The kernel of an entry point, expanded once per set of template parameters.
 *
 * @example
 * ```ts
 * const forward = kernel("layer_norm", "forward", { LANES: 32 });
 * ```
 */
export function kernel(shader: ShaderName, entry: string, defines: Defines = {}): Kernel {
  if (mutation?.shader === shader)
    return makeKernel(`${shader}.${entry} (mutated)`, { shader, entry, defines, code: mutation.edit(expand(shaders[shader], defines)) });
  const tags = Object.entries(defines).map(([name, value]) => ` ${name}=${value}`);
  const name = `${shader}.${entry}${tags.join("")}`;
  let found = known.get(name);
  if (!found) {
    const template = `${shader}${tags.join("")}`;
    const code = expanded.get(template) ?? expand(shaders[shader], defines);
    expanded.set(template, code);
    found = makeKernel(name, { shader, entry, defines, code });
    known.set(name, found);
  }
  return found;
}

/** Whether {@link withMutation} is breaking a kernel. */
export function isMutating(): boolean {
  return mutation !== undefined;
}

let mutation: { readonly shader: ShaderName; readonly edit: (code: string) => string } | undefined;

/**
 * Runs `body` with a shader's expanded code edited: negative controls break a kernel on purpose and see whether its property notices.
 * Tensors made meanwhile have memory of their own, full of NaNs.
 * @throws ShaderError if the edit changed nothing, for then the control controls nothing.
 */
export async function withMutation(
  shader: ShaderName,
  edit: readonly [find: string | RegExp, replace: string],
  body: () => Promise<void>,
): Promise<void> {
  let changed = false;
  const apply = (code: string): string => {
    const edited = code.replace(edit[0], edit[1]);
    changed ||= edited !== code;
    return edited;
  };
  mutation = { shader, edit: apply };
  try {
    await body();
  } finally {
    mutation = undefined;
  }
  if (!changed) throw new ShaderError(`Expected ${String(edit[0])} in the code of shader ${shader} that ran`);
}

/** A kernel from WGSL text that is not in `shaders/`: for tests of the engine and for people's own ops. */
export function kernelFromSource(name: string, source: string, entry = "main"): Kernel {
  return makeKernel(name, { shader: name as ShaderName, entry, defines: {}, code: source });
}

function makeKernel(name: string, rest: Pick<Kernel, "shader" | "entry" | "defines" | "code">): Kernel {
  return { name, ...rest, interface: reflect(rest.code, rest.entry) };
}

/**
 * Hears how far compiling is. First come `"shaders"`, which WebGPU checks and translates all at once; then, as a captured step runs for the first
 * time, `"kernels"`: some drivers, lavapipe among them, make machine code of a kernel when it is first launched, which takes longer.
 */
export type CompileProgress = (done: number, total: number, what: "shaders" | "kernels") => void;

/** Pipelines of one device: layouts shared by binding pattern, each kernel compiled once. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #layouts = new Map<string, { bindGroup: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #pipelines = new Map<Kernel, GPUComputePipeline>();
  readonly #underWay = new Map<Kernel, Promise<GPUComputePipeline>>();
  /** Kernels that have been launched: nothing about them is left to compile. */
  readonly launched: Set<Kernel> = new Set();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get size(): number {
    return this.#pipelines.size;
  }

  /** The bind group layout that a kernel's bindings need. */
  layout(kernel: Kernel): GPUBindGroupLayout {
    return this.#layout(kernel).bindGroup;
  }

  /** The pipeline, compiled now if need be (a synchronous call: the driver may still compile at first use). */
  get(kernel: Kernel): GPUComputePipeline {
    let pipeline = this.#pipelines.get(kernel);
    if (!pipeline) {
      pipeline = this.#device.createComputePipeline(this.#descriptor(kernel));
      this.#pipelines.set(kernel, pipeline);
    }
    return pipeline;
  }

  /**
   * Compiles several kernels at once, off the caller's thread where the implementation can.
   * @throws ShaderError that lists every kernel that failed, each with the lines at fault.
   */
  async compile(kernels: Iterable<Kernel>, onProgress?: CompileProgress): Promise<void> {
    const missing = [...new Set(kernels)].filter((k) => !this.#pipelines.has(k));
    let done = 0;
    const failures: string[] = [];
    const compileOne = async (kernel: Kernel): Promise<void> => {
      try {
        await this.create(kernel);
      } catch (error) {
        failures.push(await this.#explain(kernel, error as Error));
      }
      onProgress?.(++done, missing.length, "shaders");
    };
    await Promise.all(missing.map(compileOne));
    if (failures.length)
      throw new ShaderError(`Expected every shader to compile but ${failures.length} of ${missing.length} failed\n${failures.join("\n")}`);
  }

  /** The pipeline once it is compiled. Asked for again meanwhile, it is the same. Rejects as WebGPU does, with a GPUPipelineError. */
  async create(kernel: Kernel): Promise<GPUComputePipeline> {
    const found = this.#pipelines.get(kernel) ?? this.#underWay.get(kernel);
    if (found) return found;
    const creating = this.#device.createComputePipelineAsync(this.#descriptor(kernel));
    this.#underWay.set(kernel, creating);
    try {
      const pipeline = await creating;
      this.#pipelines.set(kernel, pipeline);
      return pipeline;
    } finally {
      this.#underWay.delete(kernel);
    }
  }

  #descriptor(kernel: Kernel): GPUComputePipelineDescriptor {
    return {
      label: kernel.name,
      layout: this.#layout(kernel).pipeline,
      compute: { module: this.#module(kernel), entryPoint: kernel.entry },
    };
  }

  #module(kernel: Kernel): GPUShaderModule {
    let module = this.#modules.get(kernel.code);
    if (!module) {
      module = this.#device.createShaderModule({ label: kernel.name, code: kernel.code });
      this.#modules.set(kernel.code, module);
    }
    return module;
  }

  #layout(kernel: Kernel): { bindGroup: GPUBindGroupLayout; pipeline: GPUPipelineLayout } {
    const { bindings, paramBytes, paramBinding } = kernel.interface;
    const key = `${paramBinding}:${paramBytes}|${bindings.map((b) => `${b.index}${b.access}`).join()}`;
    let layout = this.#layouts.get(key);
    if (!layout) {
      const entries: GPUBindGroupLayoutEntry[] = bindings.map((b) => ({
        binding: b.index,
        visibility: 4, // COMPUTE
        buffer: { type: b.access === "read" ? "read-only-storage" : "storage" },
      }));
      // No dynamic offset: lavapipe would make a descriptor set for it at every launch, which takes 16 µs while nothing is computed.
      if (paramBytes > 0) entries.push({ binding: paramBinding, visibility: 4, buffer: { type: "uniform" } });
      const bindGroup = this.#device.createBindGroupLayout({ label: key, entries });
      layout = { bindGroup, pipeline: this.#device.createPipelineLayout({ bindGroupLayouts: [bindGroup] }) };
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  async #explain(kernel: Kernel, error: Error): Promise<string> {
    const info = await this.#module(kernel).getCompilationInfo();
    const code = kernel.code.split("\n");
    const messages = info.messages
      .filter((m) => m.type === "error")
      .map((m) => `  L${m.lineNum}:${m.linePos} ${m.message}\n    ${code[m.lineNum - 1]?.trim() ?? ""}`);
    return `${kernel.name}: ${messages.length ? `\n${messages.join("\n")}` : error.message}`;
  }
}
