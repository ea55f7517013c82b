import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import type { GptCase, MatmulCase, SaeCase, SharedCase } from "../cases.ts";
import { GPT, gptBatch, gptParameters } from "../work/gpt.ts";
import { matmulInputs } from "../work/matmul.ts";
import { SAE, saeBatch, saeParameters } from "../work/sae.ts";
import { type NamedValues, uniformValues } from "../work/values.ts";
import type { Engine, EngineOptions, Work } from "./engine.ts";

/** TensorFlow.js on WebGPU: eager, its own Adam (which has no weight decay). */
export async function openTfjs({ peers, door }: EngineOptions): Promise<Engine> {
  Object.assign(globalThis, { self: globalThis });
  const require = createRequire(pathToFileURL(`${peers}/package.json`));
  const tf = require("@tensorflow/tfjs-core") as Tf;
  require("@tensorflow/tfjs-layers"); // brings the gradients
  require("@tensorflow/tfjs-backend-webgpu");
  await tf.setBackend("webgpu");
  await tf.ready();
  const wait = async (): Promise<void> => {
    const backend = tf.backend();
    if (backend.commandEncoder) {
      backend.endComputePassEncoder();
      backend.submitQueue();
    }
    await door.finished();
  };
  return {
    versions: { "@tensorflow/tfjs-backend-webgpu": tf.version_core },
    build: async (work) => builders[work.kind as SharedCase["kind"]](work as never, tf, wait),
  };
}

/** As much of TensorFlow.js as is used here: its packages are not part of the workspace. */
interface Tf {
  readonly version_core: string;
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  backend(): { readonly commandEncoder: unknown; endComputePassEncoder(): void; submitQueue(): void };
  tidy<T>(body: () => T): T;
  tensor(data: Float32Array | Int32Array, shape: readonly number[], dtype?: string): TfTensor;
  variable(values: TfTensor): TfTensor;
  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  gather(table: TfTensor, index: TfTensor): TfTensor;
  oneHot(index: TfTensor, depth: number): TfTensor;
  softmax(x: TfTensor): TfTensor;
  logSoftmax(x: TfTensor): TfTensor;
  relu(x: TfTensor): TfTensor;
  square(x: TfTensor): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  tanh(x: TfTensor): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  transpose(x: TfTensor, axes: readonly number[]): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  add(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  neg(x: TfTensor): TfTensor;
  sum(x: TfTensor, axis?: number): TfTensor;
  mean(x: TfTensor, axis?: number, keepDims?: boolean): TfTensor;
  readonly train: { adam(lr: number, beta1: number, beta2: number, epsilon: number): TfOptimizer };
}

interface TfTensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface TfOptimizer {
  minimize(loss: () => TfTensor, returnCost: true, variables: TfTensor[]): TfTensor;
}

const builders: { [K in SharedCase["kind"]]: (work: Extract<SharedCase, { kind: K }>, tf: Tf, wait: () => Promise<void>) => Work } = {
  gpt,
  sae,
  matmul,
};

function gpt({ batch, length }: GptCase, tf: Tf): Work {
  const { layers, heads, width: C, context: S, vocabulary, lr, betas, epsilon } = GPT;
  const data = gptBatch(batch, length);
  const tokens = tf.tensor(data.tokens, [batch, length], "int32");
  const text = tf.tensor(data.context, [batch, S], "int32");
  const targets = tf.oneHot(tf.tensor(data.targets, [batch * length], "int32"), vocabulary);
  const isFuture = Float32Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? -1e9 : 0));
  const mask = tf.tensor(isFuture, [length, length]);
  const parameters = variables(tf, gptParameters(length));
  const take = (name: string): TfTensor => parameters.get(name)!;

  // Activations are kept as [rows, width], which is what tfjs multiplies fastest.
  const linear = (x: TfTensor, name: string): TfTensor => tf.add(tf.matMul(x, take(`${name}.weight`), false, true), take(`${name}.bias`));
  const norm = (x: TfTensor, name: string): TfTensor => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5));
    return tf.add(tf.mul(tf.mul(centred, scale), take(`${name}.weight`)), take(`${name}.bias`));
  };
  const gelu = (x: TfTensor): TfTensor => {
    const inner = tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  };
  const splitHeads = (x: TfTensor, rows: number): TfTensor => tf.transpose(tf.reshape(x, [batch, rows, heads, C / heads]), [0, 2, 1, 3]);
  const attend = (q: TfTensor, k: TfTensor, v: TfTensor, isCausal: boolean): TfTensor => {
    const [query, key, value] = [splitHeads(q, length), splitHeads(k, isCausal ? length : S), splitHeads(v, isCausal ? length : S)];
    const scores = tf.mul(tf.matMul(query, key, false, true), (C / heads) ** -0.5);
    const weights = tf.softmax(isCausal ? tf.add(scores, mask) : scores);
    return tf.reshape(tf.transpose(tf.matMul(weights, value), [0, 2, 1, 3]), [batch * length, C]);
  };

  const loss = (): TfTensor => {
    let x = tf.reshape(tf.add(tf.gather(take("transformer.wte.weight"), tokens), take("transformer.wpe.weight")), [batch * length, C]);
    const c = tf.reshape(tf.add(tf.gather(take("transformer.wce.weight"), text), take("transformer.wcpe.weight")), [batch * S, C]);
    for (let i = 0; i < layers; i++) {
      const at = `transformer.h.${i}`;
      const [q, k, v] = tf.split(linear(norm(x, `${at}.ln_1`), `${at}.attn.c_attn`), 3, 1) as [TfTensor, TfTensor, TfTensor];
      x = tf.add(x, linear(attend(q, k, v, true), `${at}.attn.c_proj`));
      const query = linear(norm(x, `${at}.ln_2`), `${at}.cross_attn.c_attn_q`);
      const [key, value] = tf.split(linear(c, `${at}.cross_attn.c_attn_kv`), 2, 1) as [TfTensor, TfTensor];
      x = tf.add(x, linear(attend(query, key, value, false), `${at}.cross_attn.c_proj`));
      x = tf.add(x, linear(gelu(linear(norm(x, `${at}.ln_3`), `${at}.mlp.c_fc`)), `${at}.mlp.c_proj`));
    }
    const logits = tf.matMul(norm(x, "transformer.ln_f"), take("lm_head.weight"), false, true);
    return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), targets), -1)));
  };
  return training([...parameters.values()], loss, tf.train.adam(lr, betas[0], betas[1], epsilon));
}

function sae({ rows, features }: SaeCase, tf: Tf): Work {
  const parameters = [...variables(tf, saeParameters(features)).values()] as [TfTensor, TfTensor, TfTensor, TfTensor];
  const [encoder, decoder, encoderBias, decoderBias] = parameters;
  const x = tf.tensor(saeBatch(rows), [rows, SAE.width]);
  const loss = (): TfTensor => {
    const hidden = tf.relu(tf.add(tf.matMul(tf.sub(x, decoderBias), encoder), encoderBias));
    const output = tf.add(tf.matMul(hidden, decoder), decoderBias);
    const error = tf.mean(tf.sum(tf.square(tf.sub(output, x)), -1));
    return tf.add(error, tf.mul(tf.mean(tf.sum(hidden, -1)), SAE.sparsity));
  };
  return training(parameters, loss, tf.train.adam(SAE.lr, SAE.betas[0], SAE.betas[1], SAE.epsilon));
}

function matmul(work: MatmulCase, tf: Tf, wait: () => Promise<void>): Work {
  const inputs = matmulInputs(work);
  const [a, b] = [tf.tensor(inputs.a, [work.m, work.k]), tf.tensor(inputs.b, [work.k, work.n])];
  let latest: TfTensor | undefined;
  return {
    start: () => {
      latest?.dispose();
      latest = tf.matMul(a, b);
      return {
        finished: async () => {
          await wait();
          return Number.NaN;
        },
      };
    },
    check: async () => [...(await latest!.data())].reduce((sum, value) => sum + value * value, 0),
  };
}

function training(parameters: TfTensor[], loss: () => TfTensor, optimizer: TfOptimizer): Work {
  return {
    start: () => {
      const cost = optimizer.minimize(loss, true, parameters);
      return {
        finished: async () => {
          const [value] = await cost.data();
          cost.dispose();
          return value!;
        },
      };
    },
  };
}

function variables(tf: Tf, named: NamedValues): Map<string, TfTensor> {
  return new Map(named.map(([name, values], stream) => [name, tf.variable(tf.tensor(uniformValues(values, stream), values.shape))]));
}
