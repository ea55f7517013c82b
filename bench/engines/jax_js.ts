import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { GptCase, MatmulCase, SaeCase, SharedCase } from "../cases.ts";
import { GPT, gptBatch, gptParameters } from "../work/gpt.ts";
import { matmulInputs } from "../work/matmul.ts";
import { SAE, saeBatch, saeParameters } from "../work/sae.ts";
import { type NamedValues, uniformValues } from "../work/values.ts";
import type { Engine, EngineOptions, Work } from "./engine.ts";
import { addIteratorHelpers } from "./iterator_helpers.ts";

/**
 * jax-js, the whole step under `jit` as its documentation advises, forward, backward and Adam in one function. It counts references: an
 * operation uses its operands up, and `.ref` keeps one for another use.
 */
export async function openJaxJs({ peers }: EngineOptions): Promise<Engine> {
  addIteratorHelpers();
  const require = createRequire(pathToFileURL(`${peers}/package.json`));
  const entry = require.resolve("@jax-js/jax"); // its CommonJS build; the modules are beside it
  const jax = (await import(pathToFileURL(join(dirname(entry), "index.js")).href)) as Jax;
  await jax.init("webgpu");
  jax.defaultDevice("webgpu");
  const { version } = JSON.parse(await readFile(join(dirname(entry), "../package.json"), "utf8")) as { version: string };
  return { versions: { "@jax-js/jax": version }, build: async (work) => builders[work.kind as SharedCase["kind"]](work as never, jax) };
}

/** As much of jax-js as is used here: its packages are not part of the workspace. */
interface Jax {
  init(device: string): Promise<unknown>;
  defaultDevice(device: string): unknown;
  jit<F>(f: F): F;
  valueAndGrad(f: (parameters: Tree) => JaxArray): (parameters: Tree) => [JaxArray, Tree];
  readonly tree: { ref(tree: Tree): Tree };
  readonly numpy: {
    array(data: Float32Array | Int32Array, options?: { shape?: number[]; dtype?: string }): JaxArray;
    zeros(shape: readonly number[]): JaxArray;
    dot(a: JaxArray, b: JaxArray): JaxArray;
    split(x: JaxArray, parts: number, axis: number): JaxArray[];
    square(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    readonly int32: string;
  };
  readonly nn: {
    relu(x: JaxArray): JaxArray;
    gelu(x: JaxArray): JaxArray;
    standardize(x: JaxArray): JaxArray;
    logSoftmax(x: JaxArray): JaxArray;
    oneHot(x: JaxArray, classes: number): JaxArray;
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray, options: { isCausal: boolean }): JaxArray;
  };
}

interface JaxArray {
  readonly ref: JaxArray;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  neg(): JaxArray;
  sum(axis?: number): JaxArray;
  mean(axis?: number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(): JaxArray;
  slice(index: JaxArray): JaxArray;
  data(): Promise<Float32Array>;
  blockUntilReady(): Promise<JaxArray>;
  dispose(): void;
}

type Tree = Record<string, JaxArray>;

const builders: { [K in SharedCase["kind"]]: (work: Extract<SharedCase, { kind: K }>, jax: Jax) => Work } = { gpt, sae, matmul };

function gpt({ batch, length }: GptCase, jax: Jax): Work {
  const { numpy: np, nn } = jax;
  const { layers, heads, width: C, context: S, vocabulary } = GPT;
  const whole = (data: Int32Array, columns: number): JaxArray => np.array(data, { dtype: np.int32 }).reshape([batch, columns]);
  const data = gptBatch(batch, length);
  const inputs: Tree = { tokens: whole(data.tokens, length), targets: whole(data.targets, length), text: whole(data.context, S) };

  const loss = (p: Tree, { tokens, targets, text }: Tree): JaxArray => {
    const take = (name: string): JaxArray => p[name]!;
    const linear = (x: JaxArray, name: string): JaxArray => np.dot(x, take(`${name}.weight`).transpose()).add(take(`${name}.bias`));
    const norm = (x: JaxArray, name: string): JaxArray =>
      nn
        .standardize(x)
        .mul(take(`${name}.weight`))
        .add(take(`${name}.bias`));
    const split = (x: JaxArray, parts: number, rows: number): JaxArray[] =>
      np.split(x.reshape([batch, rows, parts, heads, C / heads]), parts, 2).map((part) => part.reshape([batch, rows, heads, C / heads]));
    const attend = (q: JaxArray, k: JaxArray, v: JaxArray, isCausal: boolean): JaxArray =>
      nn.dotProductAttention(q, k, v, { isCausal }).reshape([batch, length, C]);

    let x = take("transformer.wte.weight").slice(tokens!).add(take("transformer.wpe.weight"));
    const c = take("transformer.wce.weight").slice(text!).add(take("transformer.wcpe.weight"));
    for (let i = 0; i < layers; i++) {
      const at = `transformer.h.${i}`;
      const [q, k, v] = split(linear(norm(x.ref, `${at}.ln_1`), `${at}.attn.c_attn`), 3, length) as [JaxArray, JaxArray, JaxArray];
      x = x.add(linear(attend(q, k, v, true), `${at}.attn.c_proj`));
      const [query] = split(linear(norm(x.ref, `${at}.ln_2`), `${at}.cross_attn.c_attn_q`), 1, length) as [JaxArray];
      const [key, value] = split(linear(c.ref, `${at}.cross_attn.c_attn_kv`), 2, S) as [JaxArray, JaxArray];
      x = x.add(linear(attend(query, key, value, false), `${at}.cross_attn.c_proj`));
      x = x.add(linear(nn.gelu(linear(norm(x.ref, `${at}.ln_3`), `${at}.mlp.c_fc`)), `${at}.mlp.c_proj`));
    }
    c.dispose();
    const logits = np.dot(norm(x, "transformer.ln_f"), take("lm_head.weight").transpose());
    return nn.logSoftmax(logits).mul(nn.oneHot(targets!, vocabulary)).sum(-1).mean().neg();
  };
  return training(jax, { parameters: gptParameters(length), inputs, loss, adam: GPT });
}

function sae({ rows, features }: SaeCase, jax: Jax): Work {
  const { numpy: np, nn } = jax;
  const inputs = { x: np.array(saeBatch(rows)).reshape([rows, SAE.width]) };
  const loss = (p: Tree, { x }: Tree): JaxArray => {
    const { encoder, decoder, encoderBias, decoderBias } = p as Record<"encoder" | "decoder" | "encoderBias" | "decoderBias", JaxArray>;
    const hidden = nn.relu(np.dot(x!.ref.sub(decoderBias.ref), encoder).add(encoderBias));
    const output = np.dot(hidden.ref, decoder).add(decoderBias);
    const error = np.square(output.sub(x!)).sum(-1).mean();
    return error.add(hidden.sum(-1).mean().mul(SAE.sparsity));
  };
  return training(jax, { parameters: saeParameters(features), inputs, loss, adam: { ...SAE, weightDecay: 0 } });
}

function matmul(work: MatmulCase, { numpy: np, jit }: Jax): Work {
  const inputs = matmulInputs(work);
  const a = np.array(inputs.a).reshape([work.m, work.k]);
  const b = np.array(inputs.b).reshape([work.k, work.n]);
  const product = jit((x: JaxArray, y: JaxArray) => np.dot(x, y));
  let latest: JaxArray | undefined;
  return {
    start: () => {
      latest?.dispose();
      const result = product(a.ref, b.ref);
      latest = result;
      return {
        finished: async () => {
          await result.ref.blockUntilReady().then((array) => array.dispose());
          return Number.NaN;
        },
      };
    },
    check: async () => [...(await latest!.ref.data())].reduce((sum, value) => sum + value * value, 0),
  };
}

interface Training {
  readonly parameters: NamedValues;
  readonly inputs: Tree;
  readonly loss: (parameters: Tree, inputs: Tree) => JaxArray;
  readonly adam: {
    readonly lr: number;
    readonly betas: readonly [number, number];
    readonly epsilon: number;
    readonly weightDecay: number;
  };
}

/** Forward, backward and AdamW as one compiled function. */
function training({ numpy: np, jit, valueAndGrad, tree }: Jax, { parameters, inputs, loss, adam }: Training): Work {
  const { lr, betas, epsilon, weightDecay } = adam;
  const names = parameters.map(([name]) => name);
  const update = jit((p: Tree, m: Tree, v: Tree, data: Tree, corrections: Tree): [JaxArray, Tree, Tree, Tree] => {
    const [value, gradients] = valueAndGrad((q) => loss(q, data))(tree.ref(p));
    const [nextP, nextM, nextV]: [Tree, Tree, Tree] = [{}, {}, {}];
    for (const name of names) {
      const first = m[name]!.mul(betas[0]).add(gradients[name]!.ref.mul(1 - betas[0]));
      const second = v[name]!.mul(betas[1]).add(np.square(gradients[name]!).mul(1 - betas[1]));
      const change = first.ref.mul(corrections.first!.ref).div(np.sqrt(second.ref.mul(corrections.second!.ref)).add(epsilon));
      nextP[name] = p[name]!.mul(1 - lr * weightDecay).sub(change.mul(lr));
      nextM[name] = first;
      nextV[name] = second;
    }
    corrections.first!.dispose();
    corrections.second!.dispose();
    return [value, nextP, nextM, nextV];
  });
  const filled = (make: (name: string, index: number) => JaxArray): Tree =>
    Object.fromEntries(parameters.map(([name], index) => [name, make(name, index)]));
  let p = filled((_, i) => np.array(uniformValues(parameters[i]![1], i)).reshape(parameters[i]![1].shape));
  let m = filled((_, i) => np.zeros(parameters[i]![1].shape));
  let v = filled((_, i) => np.zeros(parameters[i]![1].shape));
  let taken = 0;
  return {
    start: () => {
      taken++;
      const correction = (beta: number): JaxArray => np.array(Float32Array.of(1 / (1 - beta ** taken))).reshape([]);
      const corrections = { first: correction(betas[0]), second: correction(betas[1]) };
      const [value, ...next] = update(p, m, v, tree.ref(inputs), corrections);
      [p, m, v] = next;
      return { finished: async () => (await value.data())[0]! };
    },
  };
}
