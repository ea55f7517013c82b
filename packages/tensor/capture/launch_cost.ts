import type { Command } from "../device/command.ts";
import type { ShaderName } from "../shaders.gen.ts";

/**
 * What a launch cannot do without, from its shapes. Either is undefined where this file does not know the kernel; nothing is guessed.
 */
export interface LaunchCost {
  /**
   * Multiplications and additions, counted where they are beyond dispute: products of matrices (2·M·K·N) and attention. Other kernels are
   * bound by memory, and how many operations an exponential is depends on who counts. Attention is counted as its kernels compute it:
   * backwards they compute the scores again, and causal attention leaves the pairs that nobody sees out.
   */
  readonly flops: number | undefined;
  /**
   * Bytes moved if every element that the launch looks at or writes goes through memory once. Caches do better than that for no kernel;
   * kernels that read something again, as products read their operands, may do worse.
   */
  readonly bytes: number | undefined;
}

/** Counts a launch's operations and bytes. */
export function costOf(command: Command): LaunchCost {
  const { shader, entry } = command.kernel;
  const rule = (costs as Readonly<Record<string, Rule | undefined>>)[`${shader}.${entry}`] ?? shaderCosts[shader];
  const { flops, bytes } = rule?.(new Launched(command)) ?? {};
  return { flops, bytes };
}

type Rule = (launch: Launched) => Partial<LaunchCost>;

/** A command's parameters by their names, and what it binds. */
class Launched {
  readonly #command: Command;
  readonly #words: DataView;

  constructor(command: Command) {
    this.#command = command;
    this.#words = new DataView(command.params);
  }

  /** A whole-number parameter; 0 where the kernel does not use it. */
  get(name: string, index = 0): number {
    const field = this.#command.kernel.interface.params.find((p) => p.name === name);
    return field ? this.#words.getUint32(4 * (field.word + index), true) : 0;
  }

  define(name: string): number {
    return Number(this.#command.kernel.defines[name] ?? 0);
  }

  /** Bytes of everything that is bound, but no more than `elements` of each binding; what is bound twice counts once. */
  bound(elements = Number.POSITIVE_INFINITY): number {
    const { kernel, ranges } = this.#command;
    const seen = new Map<string, number>();
    for (const [i, { storage, offset, bytes }] of ranges.entries())
      seen.set(`${storage.id}+${offset} ${kernel.interface.bindings[i]!.access}`, Math.min(bytes, 4 * elements));
    return [...seen.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Bytes of one binding, or 0 where the kernel has none of this name. */
  bytesOf(name: string): number {
    const at = this.#command.kernel.interface.bindings.findIndex((binding) => binding.name === name);
    return at < 0 ? 0 : this.#command.ranges[at]!.bytes;
  }

  /** Whether something is bound to this name, or as vectors to the same with a 4. */
  has(name: string): boolean {
    return this.bytesOf(name) > 0 || this.bytesOf(`${name}4`) > 0;
  }
}

const everything: Rule = (launch) => ({ bytes: launch.bound() });
const upTo =
  (elements: (launch: Launched) => number): Rule =>
  (launch) => ({ bytes: launch.bound(elements(launch)) });
const rowsOf = upTo((launch) => launch.get("rows") * launch.get("length"));
const size = upTo((launch) => Math.max(launch.get("size"), 4 * launch.get("vectors")));

/** Rules of kernels, by shader and entry point. */
const costs: Readonly<Partial<Record<`${ShaderName}.${string}`, Rule>>> = {
  "gemm_panel.main": product,
  "gemm_portable.main": product,
  "gemm_tile.main": product,
  "gemm_reduce.main": (launch) => {
    const [slice, sums] = [launch.get("slice"), launch.get("rows") * launch.get("n")];
    const extra = (launch.has("slopes") ? sums : 0) + (launch.has("times") ? sums : 0) + sums * launch.get("hasResidual");
    return { flops: slice * (launch.get("splits") - 1), bytes: 4 * (slice * (launch.get("splits") + 1) + extra) };
  },
  "linear_gradients_panel.main": (launch) => {
    const [rows, outs, ins] = [launch.get("rows"), launch.get("outs"), launch.get("ins")];
    const given = rows * outs + outs * ins + rows * ins * (1 + launch.get("hasTimes") + launch.get("hasResidual"));
    return { flops: 4 * rows * outs * ins, bytes: 4 * (given + rows * ins + launch.get("parts") * outs * (ins + 1)) };
  },
  "sum_slices.main": (launch) => {
    const sums = launch.get("first") + launch.get("secondCount");
    return { flops: sums * (launch.get("splits") - 1), bytes: 4 * sums * (launch.get("splits") + 1) };
  },
  "sum_slices.table": (launch) => ({ bytes: launch.bytesOf("partials") + launch.bytesOf("lines") }), // and the totals, a part of an arena
  ...attentions("attention_panel"),
  ...attentions("attention_portable"),
  ...attentions("attention_tile"),
  "attention_portable.row_dots": (launch) => {
    const places = launch.get("heads") * launch.get("queries");
    return { flops: 2 * places * headSize(launch), bytes: 4 * places * (2 * headSize(launch) + 1) };
  },
  "copy.strided4": upTo((launch) => 4 * launch.get("size")),
  "embedding.pick": (launch) => {
    const moved = launch.bytesOf("out4") + launch.bytesOf("out1");
    return { bytes: launch.bytesOf("index") + (launch.define("PLUS") ? 3 : 2) * moved };
  },
  "gather.sum_by_scan": () => ({}), // its scan depends on two sizes, and it is there for odd cases
  "relu_autoencoder_encode.main": (launch) => {
    const [rows, width, features] = [launch.get("rows"), launch.get("width"), launch.get("features")];
    const weights = (width + 1) * features;
    return {
      flops: 2 * rows * width * features,
      bytes: 4 * (rows * (width + features) + weights + width + 2 * launch.get("stretches") * features),
    };
  },
  "relu_autoencoder_backward.main": (launch) => {
    const [rows, width, features] = [launch.get("rows"), launch.get("width"), launch.get("features")];
    const given = rows * (2 * width + (launch.has("df") ? 2 : 1) * features) + (width + launch.get("hasSums")) * features + width;
    return { flops: 6 * rows * width * features, bytes: 4 * (given + launch.get("splits") * (2 * width + 1) * features) };
  },
  "reduce.reduce": upTo((launch) => launch.get("outputs") * launch.get("length")),
  "unit_rows.reject": upTo((launch) => launch.get("rows") * launch.get("columns")),
  "optimizer.adam": (launch) => ({ bytes: 7 * 16 * launch.get("length") }), // values and moments there and back, gradients
  "optimizer.sgd": (launch) => ({ bytes: 5 * 16 * launch.get("length") }),
  "optimizer.clip_partial": (launch) => ({ bytes: 16 * launch.get("length") + launch.bytesOf("partial") }),
};

/** Rules of shaders whose entry points are alike. */
const shaderCosts: Readonly<Partial<Record<ShaderName, Rule>>> = {
  binary: size,
  copy: size,
  counting_sort: everything,
  cross_entropy: rowsOf,
  gather: size,
  jump_relu: everything,
  keep_topk: everything,
  layer_norm: rowsOf,
  layer_norm_panel: rowsOf,
  mse_loss: everything,
  optimizer: everything,
  random: everything,
  reduce_gradient: size,
  relu_autoencoder: everything,
  relu_sums: everything,
  segments: everything,
  softmax: rowsOf,
  sort: everything,
  triangle: everything,
  unary: everything,
  unit_rows: everything,
  where: size,
};

/** C = A·B: each operand once, however often a tile reads it; a matrix that serves many batches once as well. */
function product(launch: Launched): LaunchCost {
  const [m, n, k, batches] = [launch.get("m"), launch.get("n"), launch.get("k"), Math.max(1, launch.get("batches"))];
  const matrices = (strides: "aBatch" | "bBatch"): number => {
    let count = 1;
    for (let axis = 0; axis < launch.get("batchRank"); axis++) if (launch.get(strides, axis) > 0) count *= launch.get("batchShape", axis);
    return count;
  };
  const own = m * n * batches;
  const beside = (launch.has("slopes") ? own : 0) + (launch.has("times") ? own : 0) + own * launch.get("hasResidual");
  const operands = matrices("aBatch") * m * k + matrices("bBatch") * k * n + (launch.get("hasBias") ? n : 0);
  return { flops: 2 * own * k, bytes: 4 * (operands + own * Math.max(1, launch.get("splits")) + beside) };
}

/** Products of rows of queries and keys: forward 2, for the queries' gradient 3, for the keys' and values' 4. */
function attentions(shader: "attention_panel" | "attention_portable" | "attention_tile"): Record<string, Rule> {
  const rule =
    (about: { readonly products: number; readonly queryRows: number; readonly keyRows: number; readonly numbers: number }): Rule =>
    (launch) => {
      const [heads, queries, keys] = [launch.get("heads"), launch.get("queries"), launch.get("keys")];
      const size = headSize(launch);
      const elements = (about.queryRows * queries + about.keyRows * keys) * size + about.numbers * queries;
      return { flops: 2 * about.products * size * heads * pairs(launch), bytes: 4 * heads * elements };
    };
  return {
    [`${shader}.forward`]: rule({ products: 2, queryRows: 2, keyRows: 2, numbers: 1 }), // q, out, k, v; log Σ exp
    [`${shader}.backward_query`]: rule({ products: 3, queryRows: 4, keyRows: 2, numbers: 2 }), // q, out, dout, dq, k, v
    [`${shader}.backward_key_value`]: rule({ products: 4, queryRows: 2, keyRows: 4, numbers: 2 }), // q, dout, k, v, dk, dv
  };
}

/** Queries with the keys that each sees. */
function pairs(launch: Launched): number {
  const [queries, keys] = [launch.get("queries"), launch.get("keys")];
  if (!launch.get("causal")) return queries * keys;
  const partly = Math.min(queries, keys); // query i sees keys 0 to i
  return (partly * (partly + 1)) / 2 + (queries - partly) * keys;
}

/** Forms with rows in registers have the size spelled out, in vectors of four; it is a multiple of four there. */
function headSize(launch: Launched): number {
  return launch.get("headSize") || 4 * launch.define("D4");
}
